package sqltext

import "strings"

// Postgres reads as a server does whose standard_conforming_strings is on. What
// the server prints of a schema has no comments.
var Postgres = &Dialect{Fold: lowerASCII, Dollars: true, Escaped: true}

// SQLite takes most engines' quotes.
var SQLite = &Dialect{Comments: true, Backticks: true, Brackets: true}

// Oracle folds to upper case.
var Oracle = &Dialect{Fold: strings.ToUpper, Comments: true, Qs: true}

// SQLServer reads as a session does whose QUOTED_IDENTIFIER is on.
var SQLServer = &Dialect{Comments: true, Nested: true, Brackets: true, Doubled: true}

// MySQL reads under a sql_mode; executed says which comments /*!NNNNN … */ the
// server reads.
func MySQL(mode string, executed func(version int) bool) *Dialect {
	d := &Dialect{Comments: true, Hash: true, Executed: executed, Backslashes: true, Texts: true, Backticks: true, Loose: true}
	for _, word := range strings.Split(strings.ToUpper(mode), ",") {
		switch strings.TrimSpace(word) {
		case "NO_BACKSLASH_ESCAPES":
			d.Backslashes = false
		case "ANSI_QUOTES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL":
			d.Texts = false
		}
	}
	return d
}

// lowerASCII folds as PostgreSQL does in UTF-8.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}
