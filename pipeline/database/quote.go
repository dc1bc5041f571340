package database

import "strings"

// Quote quotes an identifier for an engine.
func Quote(engine, name string) string {
	switch Family(engine) {
	case MySQL:
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	case SQLServer:
		return "[" + strings.ReplaceAll(name, "]", "]]") + "]"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteText quotes a string literal for an engine. Only MySQL gives backslashes
// a meaning.
func QuoteText(engine, text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	switch Family(engine) {
	case MySQL:
		text = strings.ReplaceAll(text, `\`, `\\`)
	case SQLServer:
		return "N'" + text + "'"
	}
	return "'" + text + "'"
}
