// Package postgres reads and fills PostgreSQL databases, version 12 and later.
//
// A source is an exported snapshot that several connections share; rows come by
// binary COPY. A target is one transaction: native DDL where the source was
// PostgreSQL too, else DDL made from the neutral schema; rows go by COPY. The
// catalog is read by our own queries and the server's pg_get_…def functions, so
// no client program is needed.
package postgres
