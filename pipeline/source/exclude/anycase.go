package exclude

import "strings"

// AnyCase replaces each letter of a pattern by a class of both its cases. The result ignores case
// and is still a pattern for Parse.
func AnyCase(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			if isLetter(text[i]) {
				writeBoth(&b, text[i])
			} else {
				b.WriteString(text[i-1 : i+1])
			}
		case c == '[':
			n, err := parseClass(text[i:], new(set))
			if err != nil { // Parse tells it
				return text
			}
			b.WriteString(classOfAnyCase(text[i : i+n]))
			i += n - 1
		case isLetter(c):
			writeBoth(&b, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isLetter(b byte) bool { return isLower(b) || isUpper(b) }

func writeBoth(b *strings.Builder, c byte) {
	b.Write([]byte{'[', c | 0x20, c &^ 0x20, ']'})
}

// classOfAnyCase adds the other case of all its letters to a class.
func classOfAnyCase(class string) string {
	inside := strings.TrimPrefix(strings.TrimPrefix(class[1:], "!"), "^")
	var plain set
	if _, err := parseClass("["+inside, &plain); err != nil {
		return class
	}
	var more []byte
	for b := byte('a'); b <= 'z'; b++ {
		switch upper := b - 'a' + 'A'; {
		case plain.has(b) && !plain.has(upper):
			more = append(more, upper)
		case plain.has(upper) && !plain.has(b):
			more = append(more, b)
		}
	}
	if body, ok := strings.CutSuffix(class, "-]"); ok {
		return body + string(more) + "-]" // a dash at the end is a dash
	}
	return class[:len(class)-1] + string(more) + "]"
}
