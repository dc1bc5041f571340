package paper

import (
	"bytes"
	"errors"
	"strings"
	"testing"
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
		} {
			if how == "confused" { // but for the numbers
				typed = restoreLabels(printed, typed)
			}
			got, err := Decode(typed)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes typed %s: got %x, %v, want %x\n%s", size, how, got, err, data, typed)
			}
		}
	}
}

// restoreLabels puts the numbers of printed rows before typed ones.
func restoreLabels(printed, typed string) string {
	was, is := strings.Split(printed, "\n"), strings.Split(typed, "\n")
	for i := range is {
		if strings.Contains(was[i], ":") {
			is[i] = was[i][:3] + is[i][3:]
		} else {
			is[i] = was[i]
		}
	}
	return strings.Join(is, "\n")
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
