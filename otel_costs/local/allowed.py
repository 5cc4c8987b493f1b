"""What a statement may be made of: what stands here, and nothing else of what the engine knows.

Reviewed with ClickHouse 26.9. What a newer engine brings is refused until it is listed, unless it is a function of a
category in which functions compute and reach nothing.
"""

from typing import Final

ALLOWED: Final = (
    "statements read and write the tables and views of this store, with SELECT, INSERT, SHOW, DESCRIBE, EXISTS,"
    " EXPLAIN, CREATE, ALTER, DROP, DELETE and their like, and reach nothing outside of it"
)
"""What every refusal ends with."""

STATEMENTS: Final = frozenset(
    {"SelectWithUnionQuery", "SelectQuery", "SelectIntersectExceptQuery", "InsertQuery", "ExplainQuery", "SetQuery"}
    | {"UseQuery", "ShowTablesQuery", "ShowColumnsQuery", "ShowIndexesQuery", "ShowSettingQuery", "CheckTableQuery"}
    | {"CreateQuery", "AlterQuery", "DropQuery", "RenameQuery", "OptimizeQuery", "DeleteQuery", "UpdateQuery"}
    | {"KillQueryQuery", "SystemQuery"}
)

PARTS: Final = frozenset(
    {"ExpressionList", "Identifier", "TableIdentifier", "Literal", "Function", "Subquery", "QueryParameter", "Asterisk"}
    | {"QualifiedAsterisk", "ColumnsRegexpMatcher", "ColumnsListMatcher", "QualifiedColumnsRegexpMatcher"}
    | {"QualifiedColumnsListMatcher", "ColumnsTransformerList", "ColumnsApplyTransformer", "ColumnsExceptTransformer"}
    | {"ColumnsReplaceTransformer", "ColumnsReplaceTransformerReplacement", "TablesInSelectQuery", "TableJoin"}
    | {"TablesInSelectQueryElement", "TableExpression", "ArrayJoin", "SampleRatio", "WithElement", "OrderByElement"}
    | {"WindowDefinition", "WindowListElement", "InterpolateElement", "StorageOrderByElement", "Columns definition"}
    | {"ColumnDeclaration", "DataType", "EnumDataType", "TupleDataType", "NameTypePair", "ObjectTypedPathArgument"}
    | {"ObjectTypeArgument", "IndexDeclaration", "ConstraintDeclaration", "ProjectionDeclaration", "Projection"}
    | {"ProjectionSelectQuery", "StatisticsDeclaration", "Storage", "TTLElement", "ViewTargets", "RefreshStrategy"}
    | {"TimeInterval", "SQLSecurity", "UserNameWithHost", "AlterCommand", "Partition", "Assignment", "Pair"}
)

REACHING_KEYS: Final = {
    "out_file": "INTO OUTFILE writes files",
    "infile": "FROM INFILE reads files",
    "compression": "COMPRESSION belongs to files",
    "cluster": "there is no cluster here",
    "has_attach_from_path": "ATTACH reads files",
    "attach": "ATTACH reads files",
    "is_dictionary": "dictionaries are filled from outside",
    "dictionary": "dictionaries are filled from outside",
    "has_uuid_clause": "the store gives tables their UUIDs",
    "has_inner_uuid_clause": "the store gives tables their UUIDs",
    "is_time_series_table": "such tables are not made here",
    "is_window_view": "such views are not made here",
}

ALTER: Final = frozenset(
    {"ADD_COLUMN", "DROP_COLUMN", "MODIFY_COLUMN", "COMMENT_COLUMN", "RENAME_COLUMN", "MATERIALIZE_COLUMN"}
    | {"MODIFY_ORDER_BY", "MODIFY_SAMPLE_BY", "REMOVE_SAMPLE_BY", "MODIFY_TTL", "REMOVE_TTL", "MATERIALIZE_TTL"}
    | {"MODIFY_SETTING", "RESET_SETTING", "MODIFY_QUERY", "MODIFY_REFRESH", "MODIFY_COMMENT", "DELETE", "UPDATE"}
    | {"ADD_INDEX", "DROP_INDEX", "MATERIALIZE_INDEX", "ADD_PROJECTION", "DROP_PROJECTION", "MATERIALIZE_PROJECTION"}
    | {"ADD_CONSTRAINT", "DROP_CONSTRAINT", "ADD_STATISTICS", "DROP_STATISTICS", "MODIFY_STATISTICS"}
    | {"MATERIALIZE_STATISTICS", "DROP_PARTITION", "APPLY_DELETED_MASK", "REPLACE_PARTITION"}
)

SYSTEM: Final = frozenset(
    {"REFRESH_VIEW", "WAIT_VIEW", "CANCEL_VIEW", "START_VIEW", "STOP_VIEW", "START_VIEWS", "STOP_VIEWS", "FLUSH_LOGS"}
    | {"START_MERGES", "STOP_MERGES", "START_TTL_MERGES", "STOP_TTL_MERGES"}
)

DROP: Final = frozenset({"Drop", "Truncate"})

# Statements that the engine's parser gives no tree of, and in which, without brackets, there is nothing to run.
PLAIN: Final = frozenset({"describe", "desc", "exists", "show"})
PLAIN_STARTS: Final = (("drop", "handler"),)

TABLE_FUNCTIONS: Final = frozenset(
    """
    format generate_series generaterandom generateseries input merge mergetreecodecblockcounts mergetreeindex
    mergetreeprojection mergetreetextindex null numbers numbers_mt primes sqlstandardvalues values view zeros
    zeros_mt
    """.split()  # noqa: SIM905 - a list would be one line, or ninety
)

STRUCTURES: Final = {"format": 1, "generaterandom": 0, "input": 0, "null": 0, "values": 0}
"""Where a table function has the columns of its table: a text in which defaults could be hidden."""

ENGINES: Final = frozenset(
    {"atomic", "buffer", "join", "log", "memory", "merge", "null", "set", "stripelog", "tinylog"}
    | {"mergetree", "aggregatingmergetree", "coalescingmergetree", "collapsingmergetree", "graphitemergetree"}
    | {"replacingmergetree", "summingmergetree", "versionedcollapsingmergetree"}
)

CATEGORIES: Final = frozenset(
    {"Aggregate Functions", "Arithmetic", "Arrays", "Bit", "Bitmap", "Comparison", "Conditional", "Dates and Times"}
    | {"Dictionary", "Distance", "Encoding", "Encryption", "Financial", "Geo", "Geo Polygon", "Hash", "IP Address"}
    | {"JSON", "Logical", "Map", "Mathematical", "Null", "NumericIndexedVector", "QBit", "Random Number", "Rounding"}
    | {"String", "String Replacement", "String Search", "String Splitting", "Time Series", "Time Window", "Tuple"}
    | {"Type Conversion", "URL", "UUID"}
)
"""Categories whose functions compute, and reach nothing."""

# Of the categories Other, none, Internal, Introspection and Machine Learning, in which some reach out.
FUNCTIONS: Final = frozenset(
    [
        "array_concat_agg",
        "_CAST",
        "FQDN",
        "MACNumToString",
        "MACStringToNum",
        "MACStringToOUI",
        "assignCentroid",
        "authenticatedUser",
        "bar",
        "blockNumber",
        "blockSerializedSize",
        "blockSize",
        "buildId",
        "byteSize",
        "caseWithExpression",
        "colorOKLABToSRGB",
        "colorOKLCHToSRGB",
        "colorSRGBToOKLAB",
        "colorSRGBToOKLCH",
        "connectionId",
        "countDigits",
        "currentDatabase",
        "currentProfiles",
        "currentQueryID",
        "currentRoles",
        "currentSchemas",
        "currentUser",
        "defaultProfiles",
        "defaultRoles",
        "defaultValueOfArgumentType",
        "defaultValueOfTypeName",
        "digits",
        "displayName",
        "dumpColumnStructure",
        "enabledProfiles",
        "enabledRoles",
        "errorCodeToName",
        "filesystemAvailable",
        "filesystemCapacity",
        "filesystemUnreserved",
        "finalizeAggregation",
        "flipCoordinates",
        "formatQuery",
        "formatQueryFromJSON",
        "formatQueryOrNull",
        "formatQuerySingleLine",
        "formatQuerySingleLineOrNull",
        "formatReadableDecimalSize",
        "formatReadableQuantity",
        "formatReadableSize",
        "formatReadableTimeDelta",
        "generateRandomStructure",
        "getMacro",
        "getMaxTableNameLengthForDatabase",
        "getMergeTreeSetting",
        "getServerSetting",
        "getSetting",
        "getSettingOrDefault",
        "getSizeOfEnumType",
        "getSubcolumn",
        "getTypeSerializationStreams",
        "globalVariable",
        "hasColumnInTable",
        "hierarchicalKMeans",
        "highlightQuery",
        "hostName",
        "icebergBucket",
        "icebergTruncate",
        "identity",
        "ignore",
        "indexHint",
        "initialQueryID",
        "initialQueryStartTime",
        "initializeAggregation",
        "isConstant",
        "isDecimalOverflow",
        "isMergeTreePartCoveredBy",
        "joinGet",
        "joinGetOrNull",
        "lowCardinalityIndices",
        "lowCardinalityKeys",
        "materialize",
        "mergeTreePartInfo",
        "minSampleSizeContinuous",
        "minSampleSizeConversion",
        "neighbor",
        "nested",
        "normalizeQuery",
        "normalizeQueryKeepNames",
        "normalizedQueryHash",
        "normalizedQueryHashKeepNames",
        "obfuscateQuery",
        "obfuscateQueryWithSeed",
        "parseISO8601Duration",
        "parseQueryToJSON",
        "parseReadableSize",
        "parseReadableSizeOrNull",
        "parseReadableSizeOrZero",
        "parseTimeDelta",
        "partitionId",
        "pgGetUserById",
        "pgTableIsVisible",
        "queryID",
        "revision",
        "rowNumberInAllBlocks",
        "rowNumberInBlock",
        "runningAccumulate",
        "runningConcurrency",
        "runningDifference",
        "runningDifferenceStartingWithFirstValue",
        "serverUUID",
        "shardCount",
        "shardNum",
        "sleep",
        "sleepEachRow",
        "stochasticLinearRegression",
        "stochasticLogisticRegression",
        "structureToCapnProtoSchema",
        "structureToProtobufSchema",
        "tcpPort",
        "throwIf",
        "tid",
        "toColumnTypeName",
        "toTypeName",
        "tokenizeQuery",
        "transform",
        "uptime",
        "validateNestedArraySizes",
        "variantElement",
        "variantType",
        "version",
        "visibleWidth",
    ]
)

SETTING_TYPES: Final = frozenset(
    {"Bool", "BoolAuto", "Char", "Double", "Float", "FloatAuto", "Int32", "Int64", "MaxThreads", "Milliseconds"}
    | {"NonZeroUInt64", "Seconds", "Timezone", "UInt32", "UInt64", "UInt64Auto"}
    | {"AggregateFunctionInputFormat", "AlterUpdateMode", "ArrowCompression", "CleanDeletedRows", "DateTimeInputFormat"}
    | {"DateTimeOutputFormat", "DateTimeOverflowBehavior", "DecorrelationJoinKind", "DeduplicateInsertMode"}
    | {"DeduplicateInsertSelectMode", "DeduplicateMergeProjectionMode", "DefaultTableEngine"}
    | {"DistributedDDLOutputMode", "DistributedProductMode", "EscapingRule", "ExplainQueryPlanDefault"}
    | {"GeoToH3ArgumentOrder"}
    | {"IdentifierQuotingRule", "IdentifierQuotingStyle", "InputFormatColumnMatchingCaseSensitivity"}
    | {"IntervalOutputFormat", "JoinAlgorithm", "JoinOrderAlgorithm", "JoinOrderConflictDetector", "JoinStrictness"}
    | {"LightweightDeleteMode", "LightweightMutationProjectionMode", "LoadBalancing", "LogQueriesType", "LogsLevel"}
    | {"MergeSelectorAlgorithm", "MsgPackUUIDRepresentation", "MySQLDataTypesSupport", "ORCCompression", "OverflowMode"}
    | {"OverflowModeGroupBy", "ParquetCompression", "ParquetVersion", "SchemaInferenceMode", "SetOperationMode"}
    | {"QueryResultCacheNondeterministicFunctionHandling", "QueryResultCacheSystemTableHandling"}
    | {"ShortCircuitFunctionEvaluation", "SkipUnavailableShardsMode", "SnappyMode", "TextIndexPostingListApplyMode"}
    | {"TextIndexPostingListCodec", "TotalsMode", "TransactionsWaitCSNMode", "UpdateParallelMode"}
    | {"VectorSearchFilterStrategy"}
)
"""Types of settings whose values are numbers, times, signs or one of a few words."""

SETTINGS: Final = frozenset(
    {"bool_false_representation", "bool_true_representation", "count_distinct_implementation"}
    | {"force_data_skipping_indices", "force_optimize_projection_name", "format_csv_null_representation"}
    | {"format_custom_field_delimiter", "format_custom_result_after_delimiter", "format_custom_result_before_delimiter"}
    | {"format_custom_row_after_delimiter", "format_custom_row_before_delimiter", "format_regexp"}
    | {"format_custom_row_between_delimiter", "format_json_object_each_row_column_for_object_name"}
    | {"format_tsv_null_representation", "http_response_headers", "ignore_data_skipping_indices"}
    | {"input_format_mysql_dump_table_name", "insert_deduplication_token", "log_comment"}
    | {"network_compression_method", "output_format_pretty_grid_charset", "output_format_sql_insert_table_name"}
    | {"preferred_optimize_projection_name", "query_cache_tag", "temporary_files_codec"}
    | {"default_compression_codec", "marks_compression_codec", "primary_key_compression_codec"}
    | {"auto_statistics_types", "columns_to_prewarm_mark_cache"}
)
"""Settings that are free text, and only shown, compared or written with the rows."""

READING_SETTINGS: Final = frozenset(
    {"allow_settings_after_format_in_insert", "enable_json_ast_dialect", "implicit_select"}
)
"""Settings of an allowed type that change how a statement is read, so that another would run than was looked at."""
