package sheet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packstone/packstone/crypto/paper"
)

// page is what is printed of a sheet, as text and as SVG.
type page struct {
	title   string
	warning []string
	facts   [][2]string
	steps   []string
	rows    []string
	codes   []code
	take    string // how the rows come into a file
}

// code is a QR code.
type code struct{ caption, content string }

// page lays out the sheet, with QR codes or without. made is the day that it names.
func (s Sheet) page(made time.Time, withCodes bool) (*page, error) {
	data, err := s.encode()
	if err != nil {
		return nil, err
	}
	rows, err := paper.Rows(data)
	if err != nil {
		return nil, err
	}
	p := &page{rows: rows, facts: [][2]string{
		{"repository", s.Address}, {"id", s.Owner.Repository}, {"owner", s.Owner.Owner.Fingerprint().String()},
	}}
	if s.Server != "" {
		p.facts = append(p.facts, [2]string{"server", s.Server})
	}
	if s.Identity != nil || s.Share != nil {
		p.facts = append(p.facts, [2]string{"identity", s.Of.String()})
	}
	p.facts = append(p.facts, [2]string{"made", made.Format(time.DateOnly)})
	p.take = "Type the rows"
	if withCodes {
		p.take = "Scan the rows' QR code, or type the rows,"
	}
	p.codes = []code{{"the rows, for packstone", packed(rows)}}
	defer s.nameServer(p)
	switch {
	case s.Share != nil:
		s.layOutShare(p)
	case s.Identity != nil:
		s.layOutIdentity(p)
	default:
		s.layOutPublic(p)
	}
	return p, nil
}

// nameServer adds to the step before the first command how the server is named.
func (s Sheet) nameServer(p *page) {
	i := slices.IndexFunc(p.steps, func(step string) bool { return strings.Contains(step, ". packstone ") })
	if s.Server != "" && i > 0 {
		p.steps = slices.Insert(p.steps, i, "   export AWS_ENDPOINT_URL_S3="+quoted(s.Server))
	}
}

func (s Sheet) layOutIdentity(p *page) {
	key := fmt.Sprint(s.Identity)
	p.title = "packstone recovery sheet"
	p.warning = []string{"Whoever has this sheet and can reach the storage can read every backup in it.", "Keep it like the key to a safe."}
	p.steps = []string{
		"1. Install packstone. Have the storage's login ready: it is not on this sheet.",
		"2. " + p.take + " into a file sheet.txt.",
		"   Case, spaces and line breaks do not matter.",
		"3. packstone key sheet --verify sheet.txt -o identity.txt",
		"4. packstone restore latest -r " + quoted(s.Address) + " -i identity.txt -t DIRECTORY",
		"Without packstone: age and zstd read the packs with this key in a file:",
		"   " + key,
	}
	p.codes = append(p.codes, code{"the key, for age", key})
}

func (s Sheet) layOutShare(p *page) {
	p.title = fmt.Sprintf("packstone share %d of %d", s.Share.Number, s.Share.Total)
	p.facts = append(p.facts, [2]string{"set", fmt.Sprintf("%x", s.Share.Set[:])})
	p.warning = []string{
		fmt.Sprintf("Any %d of the %d shares of this set together can read every backup;", s.Share.Threshold, s.Share.Total),
		"fewer know nothing. Keep them apart.",
	}
	p.steps = []string{
		fmt.Sprintf("1. Bring %d custodians to one machine, and install packstone.", s.Share.Threshold),
		"   Have the storage's login ready: it is not on this sheet.",
		"2. " + p.take + " of each share into a file.",
		"   Case, spaces and line breaks do not matter.",
		"3. packstone key join FILE... -o identity.txt",
		"4. packstone restore latest -r " + quoted(s.Address) + " -i identity.txt -t DIRECTORY",
	}
}

func (s Sheet) layOutPublic(p *page) {
	p.title = "packstone repository sheet"
	p.warning = []string{"This sheet has no secret. To read backups, an identity is needed too."}
	p.steps = []string{
		"1. Install packstone. Have the storage's login ready: it is not on this sheet.",
		"2. " + p.take + " into a file sheet.txt.",
		"3. packstone key sheet --verify sheet.txt -i IDENTITY",
		"4. packstone restore latest -r " + quoted(s.Address) + " -i IDENTITY -t DIRECTORY \\",
		"     --accept-owner '" + s.Owner.Owner.Fingerprint().String() + "'",
	}
}

// packed returns rows for a QR code, which needs no spaces within them.
func packed(rows []string) string {
	var lines []string
	for _, row := range rows {
		if number, text, ok := strings.Cut(row, ": "); ok {
			row = number + ":" + strings.ReplaceAll(text, " ", "")
		}
		lines = append(lines, row)
	}
	return strings.Join(lines, " ")
}

// quoted returns an address as a shell takes it.
func quoted(address string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/:.@_-+=,", c)
	}
	if strings.ContainsFunc(address, func(c rune) bool { return !plain(c) }) {
		return "'" + strings.ReplaceAll(address, "'", `'\''`) + "'"
	}
	return address
}

// Text returns the sheet as plain text. made is the day that it names.
func (s Sheet) Text(made time.Time) ([]byte, error) {
	p, err := s.page(made, false)
	if err != nil {
		return nil, fmt.Errorf("print the sheet: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n%s\n\n", p.title, strings.Repeat("=", len(p.title)), strings.Join(p.warning, "\n"))
	for _, fact := range p.facts {
		fmt.Fprintf(&b, "%-12s%s\n", fact[0], fact[1])
	}
	fmt.Fprintf(&b, "\n%s\n\n%s\n", strings.Join(p.steps, "\n"), strings.Join(p.rows, "\n"))
	return []byte(b.String()), nil
}
