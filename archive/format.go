package archive

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/packstone/packstone/chunker"
)

// FormatObject is the name of the object that describes the format of a repository.
const FormatObject = "packstone.json"

// The only version, and the only algorithms, so far.
const (
	formatVersion     = 1
	chunkerAlgorithm  = "gear-half-1"
	idAlgorithm       = "blake3-keyed"
	compressAlgorithm = "zstd"
	encryptAlgorithm  = "age-v1"
	profileHybrid     = "hybrid"
	profileClassic    = "classic"
)

// Format is the content of packstone.json. init writes it once, and it never changes.
type Format struct {
	Version    int             // 1
	Repository string          // the repository's id: 16 random bytes in hex
	Owner      string          // the owner's public key, as crypto.Verifier writes it
	Classic    bool            // recipients are X25519 and the like, not post-quantum
	Classes    []chunker.Class // by name, how sources may be cut
}

// NewFormat returns the format of a new repository, with a random id and the usual classes.
func NewFormat(owner string, classic bool) Format {
	var id [16]byte
	rand.Read(id[:])
	return Format{
		Version:    formatVersion,
		Repository: hex.EncodeToString(id[:]),
		Owner:      owner,
		Classic:    classic,
		Classes:    chunker.Classes(),
	}
}

// Class finds a chunk class by name.
func (f *Format) Class(name string) (chunker.Class, bool) {
	for _, class := range f.Classes {
		if class.Name == name {
			return class, true
		}
	}
	return chunker.Class{}, false
}

// formatJSON is the JSON form of Format.
type formatJSON struct {
	Version     int         `json:"version"`
	Repository  string      `json:"repository"`
	Owner       string      `json:"owner"`
	Profile     string      `json:"profile"`
	Chunker     string      `json:"chunker"`
	ID          string      `json:"id"`
	Compression string      `json:"compression"`
	Encryption  string      `json:"encryption"`
	Classes     []classJSON `json:"classes"`
	Requires    []string    `json:"requires"`
}

type classJSON struct {
	Name    string `json:"name"`
	Min     int    `json:"min"`
	Average int    `json:"average"`
	Max     int    `json:"max"`
	Fixed   bool   `json:"fixed,omitempty"`
}

// EncodeFormat returns the content of packstone.json.
func EncodeFormat(f Format) ([]byte, error) {
	out := formatJSON{
		Version: f.Version, Repository: f.Repository, Owner: f.Owner, Profile: profileHybrid,
		Chunker: chunkerAlgorithm, ID: idAlgorithm, Compression: compressAlgorithm, Encryption: encryptAlgorithm,
		Requires: []string{},
	}
	if f.Classic {
		out.Profile = profileClassic
	}
	for _, c := range f.Classes {
		out.Classes = append(out.Classes, classJSON(c))
	}
	if err := out.check(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", FormatObject, err)
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", FormatObject, err)
	}
	return append(data, '\n'), nil
}

// ParseFormat reads packstone.json. It fails with ErrFormat if reading the repository needs a newer
// program, and ignores keys that it does not know.
func ParseFormat(data []byte) (Format, error) {
	var in formatJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return Format{}, fmt.Errorf("read %s: %w: %w", FormatObject, ErrDamaged, err)
	}
	if err := in.check(); err != nil {
		return Format{}, fmt.Errorf("read %s: %w", FormatObject, err)
	}
	f := Format{Version: in.Version, Repository: in.Repository, Owner: in.Owner, Classic: in.Profile == profileClassic}
	for _, c := range in.Classes {
		f.Classes = append(f.Classes, chunker.Class(c))
	}
	return f, nil
}

func (f *formatJSON) check() error {
	if f.Version > formatVersion {
		return fmt.Errorf("version %d: %w", f.Version, ErrFormat)
	}
	if f.Version < 1 {
		return fmt.Errorf("version %d: %w", f.Version, ErrDamaged)
	}
	if len(f.Requires) > 0 {
		return fmt.Errorf("required features %q: %w", f.Requires, ErrFormat)
	}
	if err := f.checkAlgorithms(); err != nil {
		return err
	}
	if id, err := hex.DecodeString(f.Repository); err != nil || len(id) != 16 {
		return fmt.Errorf("repository id %q is not 32 hex digits: %w", f.Repository, ErrDamaged)
	}
	return f.checkClasses()
}

func (f *formatJSON) checkAlgorithms() error {
	known := []struct{ what, got, want string }{
		{"chunker", f.Chunker, chunkerAlgorithm},
		{"id", f.ID, idAlgorithm},
		{"compression", f.Compression, compressAlgorithm},
		{"encryption", f.Encryption, encryptAlgorithm},
	}
	for _, k := range known {
		if k.got != k.want {
			return fmt.Errorf("%s algorithm %q: %w", k.what, k.got, ErrFormat)
		}
	}
	if f.Profile != profileHybrid && f.Profile != profileClassic {
		return fmt.Errorf("profile %q: %w", f.Profile, ErrFormat)
	}
	return nil
}

func (f *formatJSON) checkClasses() error {
	seen := make(map[string]bool, len(f.Classes))
	for _, c := range f.Classes {
		if err := chunker.Class(c).Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if c.Max > MaxChunk || c.Name == "" || seen[c.Name] {
			return fmt.Errorf("chunk class %q of up to %d bytes: %w", c.Name, c.Max, ErrDamaged)
		}
		seen[c.Name] = true
	}
	if len(seen) == 0 {
		return fmt.Errorf("no chunk class: %w", ErrDamaged)
	}
	return nil
}
