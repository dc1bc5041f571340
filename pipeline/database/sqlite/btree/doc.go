// Package btree writes and reads tables of a SQLite file page by page, in the order of their row
// numbers. It writes to a file that no one else has open: SQLite itself makes the file with its
// empty tables before, and builds the indexes after. It reads from a file that SQLite keeps from
// being changed meanwhile. The layout is that of https://www.sqlite.org/fileformat2.html, chapters
// 1.3 (header), 1.6 (b-tree pages), 1.6.1 (overflow) and 2.1 (records).
package btree
