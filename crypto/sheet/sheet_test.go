package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/crypto"
	"github.com/packstone/packstone/crypto/paper"
	"github.com/packstone/packstone/crypto/share"
	"github.com/packstone/packstone/crypto/sheet/sheettest"
)

var made = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// sheetFor returns a sheet of a repository that is nowhere.
func sheetFor(t testing.TB, address string, classic bool) Sheet {
	t.Helper()
	owner, err := crypto.GenerateSigner("owner")
	if err != nil {
		t.Fatal(err)
	}
	identity, err := crypto.GenerateIdentity(classic)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Sheet{Address: address, Owner: crypto.OwnerPin{Repository: strings.Repeat("0123456789abcdef", 2), Owner: owner.Verifier()}}.WithIdentity(identity)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func same(a, b Sheet) bool {
	shares := a.Share == nil && b.Share == nil || a.Share != nil && b.Share != nil && *a.Share == *b.Share
	return a.Address == b.Address && a.Owner.Repository == b.Owner.Repository && a.Owner.Owner.Equal(b.Owner.Owner) && a.Of == b.Of &&
		shares && fmt.Sprint(a.Identity) == fmt.Sprint(b.Identity)
}

func mustText(t testing.TB, s Sheet) string {
	t.Helper()
	text, err := s.Text(made)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kinds returns sheets of all kinds.
func kinds(t testing.TB, address string) map[string]Sheet {
	all := map[string]Sheet{"hybrid": sheetFor(t, address, false), "classic": sheetFor(t, address, true)}
	public := all["hybrid"]
	public.Identity, public.Of = nil, crypto.Fingerprint{}
	all["public"] = public
	shares, err := all["hybrid"].Split(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	all["share"] = shares[1]
	return all
}

func TestASheetComesBackFromTextSVGAndItsQRCode(t *testing.T) {
	for _, address := range []string{"/srv/backup", "s3://offsite/corridor", "/mnt/Übergröße & <co>'s", "minio+https://h:9000/" + strings.Repeat("b", 200)} {
		for kind, s := range kinds(t, address) {
			svg, err := s.SVG(made)
			if err != nil {
				t.Fatal(err)
			}
			codes, err := sheettest.Codes(svg)
			if err != nil {
				t.Fatalf("%s of %s: %v", kind, address, err)
			}
			for how, text := range map[string]string{
				"text": mustText(t, s), "small": strings.ToLower(mustText(t, s)), "SVG": string(svg), "QR": codes[0],
				"text and QR": mustText(t, s) + codes[0], "two SVGs": string(svg) + string(svg), "SVG of an editor": "\ufeff" + string(svg),
				"mail": "> " + strings.ReplaceAll(mustText(t, s), "\n", "\r\n> "),
			} {
				if got, err := Read(strings.NewReader(text)); err != nil || !same(got, s) {
					t.Errorf("%s of %s from %s: %v, %v\n%s", kind, address, how, got, err, text)
				}
			}
			if s.Identity != nil && (len(codes) != 2 || codes[1] != fmt.Sprint(s.Identity)) {
				t.Errorf("%s: codes %q, want the key for age too", kind, codes[1:])
			}
		}
	}
}

func TestATextSaysNothingOfQRCodes(t *testing.T) {
	for kind, s := range kinds(t, "/srv/backup") {
		if text := mustText(t, s); strings.Contains(text, "QR code") || strings.Contains(text, "Scan") {
			t.Errorf("%s: a text has no QR code\n%s", kind, text)
		}
	}
}

func TestAllSheetsOfAFileAreRead(t *testing.T) {
	all := kinds(t, "/srv/backup")
	torn := strings.Replace(mustText(t, all["classic"]), "02: ", "02: U", 1)
	parts, err := ReadAll(strings.NewReader(mustText(t, all["share"])+torn+mustText(t, all["hybrid"])+mustText(t, all["share"])), "f")
	if err != nil || len(parts) != 3 {
		t.Fatalf("got %v, %v, want three sheets", parts, err)
	}
	if !same(parts[0].Sheet, all["share"]) || parts[1].Err == nil || !same(parts[2].Sheet, all["hybrid"]) || parts[2].Name != "f, sheet 3" {
		t.Errorf("got %v", parts)
	}
	_, err = Read(strings.NewReader(mustText(t, all["share"]) + mustText(t, all["hybrid"])))
	if !errors.Is(err, crypto.ErrDamaged) || !strings.Contains(err.Error(), "it has 2 sheets") {
		t.Errorf("got %v, want that there are two", err)
	}
}

func TestASheetWithoutIdentityHasNoSecret(t *testing.T) {
	all := kinds(t, "/srv/backup")
	svg, err := all["public"].SVG(made)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{mustText(t, all["public"]), mustText(t, all["share"]), string(svg)} {
		if strings.Contains(text, "SECRET") {
			t.Errorf("it has a key:\n%s", text)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", all["hybrid"], all["hybrid"], all["share"]); strings.Contains(text, "SECRET") || strings.Contains(text, "Value") {
		t.Errorf("printed as %s", text)
	}
}

func TestASheetFitsItsPaper(t *testing.T) {
	for kind, s := range kinds(t, "s3://offsite-backups/platform/corridor") {
		for line := range strings.Lines(mustText(t, s)) {
			if len(line) > 100 {
				t.Errorf("%s: %d columns: %s", kind, len(line), line)
			}
		}
	}
}

func TestWhatCannotBeOnASheetIsRefused(t *testing.T) {
	good := sheetFor(t, "/srv", false)
	for name, change := range map[string]func(*Sheet){
		"no address":       func(s *Sheet) { s.Address = "" },
		"a long address":   func(s *Sheet) { s.Address = strings.Repeat("a", LargestAddress+1) },
		"a line break":     func(s *Sheet) { s.Address = "/srv\n01: X" },
		"no owner":         func(s *Sheet) { s.Owner.Owner = crypto.Verifier{} },
		"no repository id": func(s *Sheet) { s.Owner.Repository = "x" },
	} {
		s := good
		change(&s)
		if text, err := s.Text(made); err == nil {
			t.Errorf("%s: printed\n%s", name, text)
		}
	}
}

func TestWrongTextsSayWhatIsWrong(t *testing.T) {
	s := sheetFor(t, "/srv/backup", false)
	rows := strings.Split(mustText(t, s), "\n")
	at := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "03: ") })
	c := "A"
	if rows[at][4] == 'A' {
		c = "B"
	}
	rows[at] = rows[at][:4] + c + rows[at][5:]
	other, err := paper.Rows([]byte("something else"))
	if err != nil {
		t.Fatal(err)
	}
	newer, err := paper.Rows([]byte{2, 0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, want string }{
		{"a typo", strings.Join(rows, "\n"), "row 3: it has a typo"},
		{"nothing", "", "it has no numbered rows"},
		{"an identity", fmt.Sprint(s.Identity), "it is an identity file as it is"},
		{"other rows", strings.Join(other, "\n"), "not of a sheet"},
		{"a newer sheet", strings.Join(newer, "\n"), "take a newer one"},
		{"too much", strings.Repeat("x", largest+1), "it is no sheet"},
		{"too many", strings.Repeat("packstone sheet 01:", mostSheets+1), "at most 256 are read"},
	}
	for _, test := range tests {
		_, err := Read(strings.NewReader(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), fmt.Sprint(s.Identity)) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestSharesGiveTheIdentityBackAndBadOnesAreNamed(t *testing.T) {
	s := sheetFor(t, "s3://b/p", false)
	a, err := s.Split(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Split(2, 3)
	if err != nil {
		t.Fatal(err)
	}
	changed := *a[1].Share
	changed.Value[30] ^= 4
	bad := a[1]
	bad.Share = &changed
	part := func(name string, s Sheet) Part { return Part{Name: name, Sheet: s} }
	torn := Part{Name: "torn", Err: fmt.Errorf("row 2 is missing")}
	tests := []struct {
		name  string
		parts []Part
		bad   string // of the parts, where they can be joined
		err   string
	}{
		{"two", []Part{part("1", a[0]), part("3", a[2])}, "", ""},
		{"three", []Part{part("1", a[0]), part("2", a[1]), part("3", a[2])}, "", ""},
		{"one", []Part{part("1", a[0])}, "", "too few shares: 2 are needed, and there are 1"},
		{"one twice", []Part{part("1", a[0]), part("copy", a[0])}, "", "copy: is share 1, as 1 is"},
		{"one twice and another", []Part{part("1", a[0]), part("copy", a[0]), part("2", a[1])}, "copy: is share 1, as 1 is", ""},
		{"two sets", []Part{part("1", a[0]), part("other", b[1])}, "", "other: is of another split"},
		{"two sets, one whole", []Part{part("other", b[1]), part("1", a[0]), part("2", a[1])}, "other: is of another split", ""},
		{"a changed one", []Part{part("1", a[0]), part("2", bad)}, "", "do not fit together"},
		{"a changed one and enough", []Part{part("1", a[0]), part("2", bad), part("3", a[2])}, "2: does not fit the others", ""},
		{"two of one number", []Part{part("2", a[1]), part("also 2", bad)}, "", "also 2: is share 2, as 2 is, and differs"},
		{"a torn one", []Part{part("1", a[0]), torn}, "", "torn: row 2 is missing"},
		{"a torn one and enough", []Part{part("1", a[0]), torn, part("2", a[1])}, "torn: row 2 is missing", ""},
		{"a sheet", []Part{part("sheet", s), part("1", a[0])}, "", "sheet: is a whole recovery sheet"},
		{"nothing", nil, "", "no share could be read"},
	}
	for _, test := range tests {
		got, err := Join(test.parts)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: got %v, want %s", test.name, err, test.err)
			}
			continue
		}
		if err != nil || !same(got.Sheet, s) || !strings.Contains(strings.Join(got.Bad, "\n"), test.bad) || (test.bad == "") != (len(got.Bad) == 0) {
			t.Errorf("%s: got %+v, %v, want %s", test.name, got, err, test.bad)
		}
	}
	if _, err := Join([]Part{part("1", a[0])}); !errors.Is(err, share.ErrTooFew) || errors.Is(err, crypto.ErrDamaged) {
		t.Errorf("one good share is called damaged: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range kinds(f, "/srv") {
		data, err := s.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decode(data)
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%x decodes, and encodes as %x, %v", data, again, err)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, s := range kinds(f, "/srv") {
		svg, err := s.SVG(made)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(svg)
		f.Add([]byte(mustText(f, s)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		if again, err := Read(strings.NewReader(mustText(t, s))); err != nil || !same(again, s) {
			t.Fatalf("it reads as %v, and its print as %v, %v", s, again, err)
		}
	})
}
