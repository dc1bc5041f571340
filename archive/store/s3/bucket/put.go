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

	"github.com/packstone/packstone/archive/store"
)

// Body is the body of one request, with its digests, which the server checks.
type Body struct {
	Data []byte
	SHA  [sha256.Size]byte
	// MD5, if set, is sent too: buckets with object lock demand it for parts. It becomes the ETag
	// of an object that is put whole.
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
	// Header holds, by lower-case names, content-type, x-amz-meta-… and so on, like Object.Header.
	Header map[string]string
	Tags   string // as a query string
	Class  store.Class
	// Absent stores the object only if none exists under its key.
	Absent bool
}

// plain are the headers, besides x-amz-meta-…, that are stored with an object.
var plain = []string{"content-type", "cache-control", "content-disposition", "content-encoding", "content-language",
	"expires", "x-amz-website-redirect-location"}

const metaPrefix = "x-amz-meta-"

// IsStored reports whether a header, given in lower case, is stored with an object.
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

// expires returns the date in the header expires, nil if there is none.
func (o PutOptions) expires() *time.Time {
	if at, err := http.ParseTime(o.Header["expires"]); err == nil {
		return &at
	}
	return nil
}
