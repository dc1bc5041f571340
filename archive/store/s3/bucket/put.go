package bucket

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Body is what one request sends, with its digests, which the server checks.
type Body struct {
	Data []byte
	SHA  [sha256.Size]byte
	// MD5 is sent too if it is set: buckets with locks demand it for parts. An object that was put
	// whole has it as its ETag.
	MD5 []byte
}

// NewBody computes both digests of data.
func NewBody(data []byte) Body {
	sum := md5.Sum(data)
	return Body{Data: data, SHA: sha256.Sum256(data), MD5: sum[:]}
}

func (b Body) md5Base64() string    { return base64.StdEncoding.EncodeToString(b.MD5) }
func (b Body) sha256Hex() string    { return hex.EncodeToString(b.SHA[:]) }
func (b Body) sha256Base64() string { return base64.StdEncoding.EncodeToString(b.SHA[:]) }

// PutOptions are what an object is stored with.
type PutOptions struct {
	// Header holds, by lower-case names, content-type, x-amz-meta-… and its kin, as Object.Header
	// does.
	Header map[string]string
	Tags   string // as a query string
	// Absent puts the object only where there is none.
	Absent bool
}

// plain are headers that are stored with an object; the others are x-amz-meta-… .
var plain = []string{"content-type", "cache-control", "content-disposition", "content-encoding", "content-language",
	"expires", "x-amz-website-redirect-location"}

const metaPrefix = "x-amz-meta-"

// IsStored tells whether a header, in lower case, is one that an object is stored with.
func IsStored(name string) bool {
	return slices.Contains(plain, name) || strings.HasPrefix(name, metaPrefix) && len(name) > len(metaPrefix)
}

func stored(h http.Header) map[string]string {
	all := map[string]string{}
	for name, values := range h {
		if name := strings.ToLower(name); IsStored(name) && len(values) > 0 {
			all[name] = strings.Join(values, ",")
		}
	}
	return all
}

func (o PutOptions) header(name string) *string { return text(o.Header[name]) }

func (o PutOptions) metadata() map[string]string {
	all := map[string]string{}
	for name, value := range o.Header {
		if key, ok := strings.CutPrefix(name, metaPrefix); ok {
			all[key] = value
		}
	}
	return all
}

// expires is the date of that name, nil if it is none.
func (o PutOptions) expires() *time.Time {
	if at, err := http.ParseTime(o.Header["expires"]); err == nil {
		return &at
	}
	return nil
}
