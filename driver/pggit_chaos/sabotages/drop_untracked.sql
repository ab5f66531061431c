-- category: corruption
-- What is dropped is not recorded: the event trigger was left disabled.
ALTER EVENT TRIGGER pggit_drop_trigger DISABLE;
