package paper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

// text is the text of some bytes.
func text(t testing.TB, data []byte) string {
	t.Helper()
	rows, err := Rows(data)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, "\n")
}

// some returns n bytes.
func some(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*i + 7*i + 3)
	}
	return data
}

func TestWhatIsWrittenIsReadHoweverItIsTyped(t *testing.T) {
	for _, size := range []int{0, 1, 14, 15, 16, 100, 142, Largest} {
		data := some(size)
		printed := text(t, data)
		for how, typed := range map[string]string{
			"as printed":     printed,
			"in small":       strings.ToLower(printed),
			"without spaces": strings.ReplaceAll(strings.TrimPrefix(printed, begin), " ", ""),
			"in one line":    strings.ReplaceAll(printed, "\n", " "),
			"spaced out":     strings.ReplaceAll(strings.ReplaceAll(printed, " ", "  \n "), "PACKSTONE  \n SHEET", ""),
			"with hyphens":   strings.ReplaceAll(strings.TrimPrefix(printed, begin), " ", "-"),
			"confused":       strings.ReplaceAll(strings.ReplaceAll(printed, "0", "o"), "1", "l"),
			"in a letter":    "Dear 12:30,\n" + printed + "\n01: of nothing",
			"CRLF":           strings.ReplaceAll(printed, "\n", "\r\n"),
			"CR":             strings.ReplaceAll(printed, "\n", "\r"),
			"before a colon": strings.ReplaceAll(printed, ":", " :"),
			"in a mail":      "> > " + strings.ReplaceAll(printed, "\n", "\n> >"),
			"in a reply":     "| " + strings.ReplaceAll(strings.ReplaceAll(printed, "\n", "\n| "), " ", "\n| "),
			"with odd space": strings.ReplaceAll(printed, " ", "\u00a0\u200b\ufeff\u2009"),
			"with dashes":    strings.ReplaceAll(strings.TrimPrefix(printed, begin), " ", "–"),
			"wide":           wide(printed),
			"UTF-16 as is":   strings.ReplaceAll(printed, "", "\x00"),
		} {
			got, err := Decode(typed)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes typed %s: got %x, %v, want %x\n%s", size, how, got, err, data, typed)
			}
		}
	}
}

// wide returns a text in the wide characters of East Asian keyboards.
func wide(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '\u3000'
		case c > ' ':
			return c - '!' + '！'
		}
		return c
	}, text)
}

func TestAWordBeforeAColonIsNoRow(t *testing.T) {
	for _, typed := range []string{"mail: a@b.c", "tool: none", "To: you", "sil : x"} {
		if _, err := Decode(typed); !errors.Is(err, ErrNone) {
			t.Errorf("%s: got %v, want %v", typed, err, ErrNone)
		}
	}
}

func TestUTF16IsReadByItsMark(t *testing.T) {
	const want = "01: Ä😀"
	for name, file := range map[string][]byte{
		"little":       append([]byte("\xff\xfe"), utf16Of(want, binary.LittleEndian)...),
		"big":          append([]byte("\xfe\xff"), utf16Of(want, binary.BigEndian)...),
		"UTF-8":        []byte(want),
		"marked UTF-8": []byte("\ufeff" + want),
	} {
		if got := UTF8(file); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, short := range []string{"", "\xff", "\xff\xfe", "\xfe\xff", "\xff\xfe0"} {
		if got := UTF8([]byte(short)); got != "" && got != short {
			t.Errorf("%q: got %q", short, got)
		}
	}
}

func utf16Of(text string, order binary.AppendByteOrder) (file []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		file = order.AppendUint16(file, unit)
	}
	return file
}

func TestAllTextsOfAFileAreFound(t *testing.T) {
	a, b := text(t, some(30)), text(t, some(60))
	for typed, want := range map[string]int{
		a + "\n" + b: 2, a + b + a: 3, "packstone sheet of mine\n" + a: 1, strings.ToLower(a): 1, "": 1, "hello": 1,
		strings.TrimPrefix(a, begin): 1,
	} {
		texts := Texts(typed)
		if len(texts) != want {
			t.Errorf("%q has %d texts, want %d", typed, len(texts), want)
		}
		for _, text := range texts {
			if _, err := Decode(text); (err != nil) != (len(typed) < 10) {
				t.Errorf("%q of %q: %v", text, typed, err)
			}
		}
	}
}

func TestMoreThanFitsIsRefused(t *testing.T) {
	if rows, err := Rows(make([]byte, Largest+1)); err == nil {
		t.Errorf("got %d rows, want an error", len(rows))
	}
}

func TestATypoIsNamedByRowAndGroup(t *testing.T) {
	rows, err := Rows(some(100))
	if err != nil {
		t.Fatal(err)
	}
	other := func(c byte) string { return string(alphabet[(strings.IndexByte(alphabet, c)+5)%32]) }
	line := rows[3] // row 3
	at := 4 + 2*5 + 1
	tests := []struct{ name, line, want string }{
		{"another character", line[:at] + other(line[at]) + line[at+1:], "row 3: it has a typo, most likely in group 3: one character is wrong"},
		{"a missing one", line[:at] + line[at+1:], "row 3: it has a typo, most likely in group 3: one character is missing"},
		{"one too many", line[:at] + other(line[at]) + line[at:], "row 3: it has a typo, most likely in group 3: there is one character too many"},
		{"what is on no sheet", line[:at] + "U" + line[at+1:], "row 3: group 3 has a character that is on no sheet"},
		{"three too many", line + "123", "row 3: it has 3 characters too many"},
		{"no row", "", "row 3 is missing"},
		{"an empty row", "03:", "row 3: it is too short"},
		{"the row twice", line + "\n" + line[:at] + other(line[at]) + line[at+1:], "row 3 is there twice, and not the same"},
		{"another number", "05" + line[2:], "row 3 is missing"},
		{"a row too many", line + "\n09: " + line[4:], "there is a row 9, but this sheet has 6 rows"},
	}
	for _, test := range tests {
		typed := strings.Join(append(append(append([]string{}, rows[:3]...), test.line), rows[4:]...), "\n")
		_, err := Decode(typed)
		if typos := (Typos)(nil); !errors.As(err, &typos) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s\n%s", test.name, err, test.want, typed)
		}
	}
}

func TestEverySingleTypoIsFound(t *testing.T) {
	printed := text(t, some(60))
	for i := len(begin) + 1; i < len(printed)-len(end); i += 3 {
		for _, c := range []byte(alphabet) {
			if printed[i] == ' ' || printed[i] == ':' || printed[i] == '\n' || printed[i] == c {
				continue
			}
			if got, err := Decode(printed[:i] + string(c) + printed[i+1:]); err == nil && !bytes.Equal(got, some(60)) {
				t.Fatalf("character %d as %c: got %x", i, c, got)
			}
		}
	}
}

func TestRowsOfTwoSheetsDoNotMix(t *testing.T) {
	a, _ := Rows(some(60))
	b, _ := Rows(append([]byte{9}, some(59)...))
	_, err := Decode(strings.Join(append(append([]string{}, a[:2]...), b[2:]...), "\n"))
	if err == nil || !strings.Contains(err.Error(), "rows of two sheets are mixed") {
		t.Errorf("got %v", err)
	}
}

func TestATextWithoutRowsSaysWhatToType(t *testing.T) {
	for _, typed := range []string{"", "hello", "AGE-SECRET-KEY-PQ-1ABC", begin + "\n" + end} {
		if _, err := Decode(typed); !errors.Is(err, ErrNone) {
			t.Errorf("%q: got %v, want %v", typed, err, ErrNone)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(text(f, some(0)))
	f.Add(text(f, some(60)))
	f.Add("01: ABCD\n02: …")
	f.Add("00:1: 2:99:")
	f.Add("> ol : il\u00a0o1:\u3000０２：")
	f.Fuzz(func(t *testing.T, typed string) {
		data, err := Decode(typed)
		if err != nil {
			return
		}
		again, err := Decode(text(t, data))
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q reads as %x, which reads again as %x, %v", typed, data, again, err)
		}
	})
}
