package fit

import (
	"strings"

	"github.com/packstone/packstone/catalog"
)

// part is a piece of a template: text, or the name of a column.
type part struct{ text, column string }

// parseTemplate reads a template such as {tenant}/{id}.bin; nil if there is none.
func parseTemplate(text string) (parts []part, err error) {
	columns := 0
	for rest := text; rest != ""; {
		before, after, open := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return nil, catalog.Misuse("%q has a } without a {", text)
		}
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !open {
			break
		}
		column, next, closed := strings.Cut(after, "}")
		if !closed || column == "" || strings.Contains(column, "{") {
			return nil, catalog.Misuse("%q: want the name of a column between { and }", text)
		}
		parts, rest, columns = append(parts, part{column: column}), next, columns+1
	}
	if text != "" && columns == 0 {
		return nil, catalog.Misuse("%q names no column: want one at least, as in {tenant}/{id}.bin", text)
	}
	return parts, nil
}
