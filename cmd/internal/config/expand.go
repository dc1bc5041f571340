package config

import (
	"fmt"
	"strings"
)

// expand replaces ${VAR} by the variable's value, and ${VAR:-x} by x if the variable is unset or
// empty. $${ stands for ${ itself; any other $ is unchanged. Values are not expanded again.
func expand(text string, lookup Lookup) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		reference, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("${%s has no closing brace; write $${ for ${ itself", rest)
		}
		value, err := variable(reference, lookup)
		if err != nil {
			return "", err
		}
		b.WriteString(before + value)
		text = after
	}
}

// variable returns the value of VAR or VAR:-x.
func variable(reference string, lookup Lookup) (string, error) {
	name, fallback, hasFallback := strings.Cut(reference, ":-")
	if !validVariable(name) {
		return "", fmt.Errorf("${%s}: want ${VARIABLE} or ${VARIABLE:-default}; write $${ for ${ itself", reference)
	}
	if strings.Contains(fallback, "${") {
		return "", fmt.Errorf("${%s}: a default can't hold a variable", reference)
	}
	if value, ok := lookup(name); ok && value != "" {
		return value, nil
	}
	if !hasFallback {
		return "", fmt.Errorf("the variable %s is not set; set it, or give a default: ${%s:-…}", name, name)
	}
	return fallback, nil
}

func validVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
