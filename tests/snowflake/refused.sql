-- Statements that an account refuses, by its documentation: a name, and why.

-- pipe_no_as: missing AS COPY INTO
CREATE PIPE SHOP.BRONZE.P AUTO_INGEST = TRUE

-- pipe_as_insert: pipe body must be COPY INTO
CREATE PIPE SHOP.BRONZE.P AUTO_INGEST = TRUE AS INSERT INTO T SELECT 1

-- pipe_typo_param: typo parameter
CREATE PIPE SHOP.BRONZE.P AUTO_INJEST = TRUE AS COPY INTO T FROM @S

-- pipe_ingest_value: non boolean
CREATE PIPE SHOP.BRONZE.P AUTO_INGEST = MAYBE AS COPY INTO T FROM @S

-- pipe_or_alter: CREATE OR ALTER unsupported for PIPE
CREATE OR ALTER PIPE SHOP.BRONZE.P AS COPY INTO T FROM @S

-- pipe_on_error_abort: ABORT_STATEMENT not supported in pipes (semantic)
CREATE PIPE P AUTO_INGEST = TRUE AS COPY INTO T FROM @S ON_ERROR = ABORT_STATEMENT

-- pipe_force: FORCE not supported in pipes (semantic)
CREATE PIPE P AUTO_INGEST = TRUE AS COPY INTO T FROM @S FORCE = TRUE

-- stream_typo: keyword typo
CREATE STREAM S ON TABEL T

-- stream_bad_opt: typo parameter
CREATE STREAM S ON TABLE T APPEND_ONYL = TRUE

-- stream_no_on: missing ON
CREATE STREAM S TABLE T

-- stream_insertonly_table: INSERT_ONLY only for external tables (semantic)
CREATE STREAM S ON TABLE T INSERT_ONLY = TRUE

-- task_no_as: missing AS
CREATE TASK T WAREHOUSE = WH SCHEDULE = '5 MINUTE'

-- task_bad_schedule: bad schedule literal (semantic)
CREATE TASK T WAREHOUSE = WH SCHEDULE = 'every five' AS SELECT 1

-- task_order: WHEN after AS
CREATE TASK T AS SELECT 1 WHEN SYSTEM$STREAM_HAS_DATA('S')

-- task_after_and_schedule: SCHEDULE with AFTER not allowed (semantic)
CREATE TASK T WAREHOUSE = WH SCHEDULE = '5 MINUTE' AFTER T0 AS SELECT 1

-- task_typo: typo parameter (parsed as session param?)
CREATE TASK T WAREHOSE = WH SCHEDULE = '5 MINUTE' AS SELECT 1

-- alert_no_if: missing IF(
CREATE ALERT A WAREHOUSE = WH SCHEDULE = '1 MINUTE' EXISTS (SELECT 1) THEN SELECT 1

-- alert_no_exists: missing EXISTS
CREATE ALERT A WAREHOUSE = WH SCHEDULE = '1 MINUTE' IF (SELECT 1) THEN SELECT 1

-- si_no_type: missing TYPE
CREATE STORAGE INTEGRATION I STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'x' STORAGE_ALLOWED_LOCATIONS = ('s3://b/')

-- si_typo: typo STORAGE_AWS_ROLE_ARN
CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_AWS_ROLE = 'x' STORAGE_ALLOWED_LOCATIONS = ('s3://b/')

-- si_locations_noparen: locations need parens
CREATE STORAGE INTEGRATION I TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'x' STORAGE_ALLOWED_LOCATIONS = 's3://b/'

-- stage_typo: typo
CREATE STAGE S URL = 's3://b/' STORAGE_INTEGRATOIN = I

-- ff_typo: typo FIELD_DELIMITER
CREATE FILE FORMAT F TYPE = CSV FIELD_DELIM = ','

-- ff_badtype: no such type
CREATE FILE FORMAT F TYPE = EXCEL

-- dt_no_lag: missing TARGET_LAG
CREATE DYNAMIC TABLE D WAREHOUSE = W AS SELECT 1 AS A

-- dt_no_wh: missing WAREHOUSE
CREATE DYNAMIC TABLE D TARGET_LAG = '1 minute' AS SELECT 1 AS A

-- rm_bad: missing PERCENT
CREATE RESOURCE MONITOR R WITH CREDIT_QUOTA = 50 TRIGGERS ON 80 DO NOTIFY

-- grant_bad: TABLES plural
GRANT SELECT ON TABLES SHOP.BRONZE.T TO ROLE R

-- grant_noto: missing TO
GRANT SELECT ON TABLE T ROLE R

-- copy_bad_onerror: bad enum
COPY INTO T FROM @S ON_ERROR = SKIPFILE

-- copy_bad_match: bad enum
COPY INTO T FROM @S MATCH_BY_COLUMN_NAME = INSENSITIVE

-- warehouse_size: bad enum
CREATE WAREHOUSE W WAREHOUSE_SIZE = 'TINY'

-- proc_no_returns: missing RETURNS
CREATE PROCEDURE P() LANGUAGE SQL AS $$ BEGIN RETURN 1; END $$

-- proc_body_garbage: body not parsed by most tools
CREATE PROCEDURE P() RETURNS STRING LANGUAGE SQL AS $$ BEGIN MRGE INTO T; END $$

-- proc_if_not_exists: CREATE [ OR REPLACE ] and CREATE OR ALTER alone
CREATE PROCEDURE IF NOT EXISTS P(ARGS VARCHAR) RETURNS VARCHAR LANGUAGE SQL EXECUTE AS CALLER AS $$ BEGIN EXECUTE IMMEDIATE 'EXECUTE DBT PROJECT A.B.C ARGS = ''build'' DBT_VERSION = ''1.11.11'''; RETURN 1; END $$

-- proc_dbt_owner: EXECUTE DBT PROJECT needs the caller's rights
CREATE PROCEDURE P(ARGS VARCHAR) RETURNS VARCHAR LANGUAGE SQL EXECUTE AS OWNER AS $$ BEGIN EXECUTE IMMEDIATE 'EXECUTE DBT PROJECT A.B.C ARGS = ''build'' DBT_VERSION = ''1.11.11'''; RETURN 1; END $$

-- proc_dbt_no_rights: without a word a procedure has its owner's
CREATE PROCEDURE P(ARGS VARCHAR) RETURNS VARCHAR LANGUAGE SQL AS $$ BEGIN EXECUTE IMMEDIATE 'EXECUTE DBT PROJECT A.B.C ARGS = ''build'' DBT_VERSION = ''1.11.11'''; RETURN 1; END $$

-- proc_dbt_default: without DBT_VERSION it is 1.9.4
CREATE PROCEDURE P(ARGS VARCHAR) RETURNS VARCHAR LANGUAGE SQL EXECUTE AS CALLER AS $$ BEGIN EXECUTE IMMEDIATE 'EXECUTE DBT PROJECT A.B.C ARGS = ''build'''; RETURN 1; END $$

-- proc_dbt_in_transaction: nothing says what becomes of a transaction around it
CREATE PROCEDURE P(ARGS VARCHAR) RETURNS VARCHAR LANGUAGE SQL EXECUTE AS CALLER AS $$ BEGIN BEGIN TRANSACTION; EXECUTE IMMEDIATE 'EXECUTE DBT PROJECT A.B.C ARGS = ''build'' DBT_VERSION = ''1.11.11'''; COMMIT; RETURN 1; END $$

-- mv_join: MV may not join (semantic)
CREATE MATERIALIZED VIEW M AS SELECT A.X FROM A JOIN B ON A.X = B.X

-- select_garbage: keyword typo
SELEC 1

-- task_refresh_whole: a pipe that was made anew would copy everything again (user-guide/data-load-snowpipe-manage)
CREATE TASK S.T WAREHOUSE = W SCHEDULE = '1 HOUR' AS EXECUTE IMMEDIATE $$ BEGIN ALTER PIPE S.P REFRESH; END $$

-- pipe_refresh_moment: a moment is ISO-8601, with its offset
ALTER PIPE S.P REFRESH MODIFIED_AFTER = '2026-01-01 00:00:00'

-- exec_task_bad: typo
EXECUTE TASKS T

-- merge_bad: missing THEN
MERGE INTO T USING S ON T.A = S.A WHEN MATCHED UPDATE SET B = 1
