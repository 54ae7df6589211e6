// Package table turns files of rows into immutable tables, describes and checks them, divides them for training, and reads
// them into memory. It stands on DuckDB, embedded and bounded by Limits, and on Parquet blobs in an artifact.Store.
//
//	Fetch      a source's URI     -> a local file and its digest
//	Ingest     a local file       -> a Snapshot: one Parquet blob, rows in order, and its Profile
//	Validate   a Snapshot         -> a ValidationReport: expectations, protected groups
//	Prepare    a Snapshot         -> Prepared: training, validation and test parts
//	ReadFrame  a stored table     -> a Frame in memory; WriteFrame the other way
//	NewFrame   records of a request -> a Frame
//
// Everything written is deterministic: the same input gives the same bytes, whatever the number of threads or the memory.
// SQL that a user wrote runs in a session that is cut off from files, network and settings. Errors name columns, lines, row
// numbers and classes of the target, never another value. Row numbers count from 1, the header not among them; line numbers
// count the lines of a file from 1.
package table
