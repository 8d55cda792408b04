-- LOSES DATA: drops column content of table claim.
ALTER TABLE "claim" DROP COLUMN "content";
