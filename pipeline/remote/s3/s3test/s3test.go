// Package s3test is an S3 server in memory, for what the available real servers cannot show: keys
// that are not paths, versions at chosen moments, hundreds of thousands of keys, faults at a chosen
// request. It identifies clients by the access key, and does not check signatures.
package s3test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Keys that the server knows.
const (
	AccessKey = "lakeadmin"
	SecretKey = "lakeadmin-secret"
)

// Server is a server with one bucket. Its exported fields must be set before it is used.
type Server struct {
	URL    string
	Bucket string
	// Fault, if set, may answer a request itself; then it returns true.
	Fault func(w http.ResponseWriter, r *http.Request) bool

	mu        sync.Mutex
	objects   map[string][]*Version // the newest last
	keys      []string              // sorted; nil: to be sorted again
	uploads   map[string]*upload
	versioned bool
	apart     bool // delete markers come before the versions of a page
	counter   int
	counts    map[string]int
	received  int64 // bytes of objects given out
}

// Version is an object, or one version of it.
type Version struct {
	ID       string
	Data     []byte
	Header   http.Header
	Tags     string
	ETag     string
	Modified time.Time
	Deleted  bool
}

type upload struct {
	key    string
	header http.Header
	parts  map[int][]byte
}

// New returns a server with an empty bucket named lake. The caller must serve it.
func New() *Server {
	return &Server{Bucket: "lake", objects: map[string][]*Version{}, uploads: map[string]*upload{}, counts: map[string]int{}}
}

// Start runs a server with an empty bucket named lake until the test ends.
func Start(t testing.TB) *Server {
	s := New()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.URL = h.URL
	return s
}

// Address returns minio+http://host:port/bucket.
func (s *Server) Address() string { return "minio+" + s.URL + "/" + s.Bucket }

// KeepVersions makes the bucket versioned.
func (s *Server) KeepVersions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versioned = true
}

// ListMarkersApart lists the delete markers of a page before its versions, as some servers do.
func (s *Server) ListMarkersApart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apart = true
}

// Put stores an object with the present time.
func (s *Server) Put(key string, data []byte) *Version {
	return s.PutVersion(key, &Version{Data: data, Modified: time.Now()})
}

// PutVersion stores a version unchanged. It must be newer than the existing ones.
func (s *Server) PutVersion(key string, v *Version) *Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.ETag == "" {
		sum := md5.Sum(v.Data)
		v.ETag = hex.EncodeToString(sum[:])
	}
	if v.Header == nil {
		v.Header = http.Header{}
	}
	if s.versioned {
		s.counter++
		v.ID = fmt.Sprintf("v%08d", s.counter)
	}
	if _, there := s.objects[key]; !there {
		s.keys = nil
	}
	if s.versioned {
		s.objects[key] = append(s.objects[key], v)
	} else {
		s.objects[key] = []*Version{v}
	}
	return v
}

// Delete removes an object.
func (s *Server) Delete(key string) {
	if s.isVersioned() {
		s.PutVersion(key, &Version{Modified: time.Now(), Deleted: true})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	s.keys = nil
}

func (s *Server) isVersioned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.versioned
}

// Get returns the present version, nil if there is none.
func (s *Server) Get(key string) *Version { return s.find(key, "") }

// Keys returns those of the objects that are there now.
func (s *Server) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for _, key := range s.sorted() {
		if v := s.objects[key]; !v[len(v)-1].Deleted {
			keys = append(keys, key)
		}
	}
	return keys
}

// Counts returns the number of requests by kind (list, get, head, put, delete, tags, other) and the
// bytes of objects sent, and resets both.
func (s *Server) Counts() (requests map[string]int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, bytes = s.counts, s.received
	s.counts, s.received = map[string]int{}, 0
	return requests, bytes
}

func (s *Server) find(key, version string) *Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.objects[key]
	for _, v := range slices.Backward(all) {
		if version == "" && v.Deleted {
			return nil
		}
		if version == "" || v.ID == version || version == "null" && v.ID == "" {
			return v
		}
	}
	return nil
}

func (s *Server) sorted() []string {
	if s.keys == nil {
		s.keys = make([]string, 0, len(s.objects))
		for key := range s.objects {
			s.keys = append(s.keys, key)
		}
		slices.Sort(s.keys)
	}
	return s.keys
}

func kind(r *http.Request, key string) string {
	q := r.URL.Query()
	switch {
	case q.Has("tagging"):
		return "tags"
	case q.Has("versioning"), q.Has("location"):
		return "other"
	case key == "" && r.Method == http.MethodGet:
		return "list"
	}
	return strings.ToLower(r.Method)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s.mu.Lock()
	s.counts[kind(r, key)]++
	s.mu.Unlock()
	switch {
	case s.Fault != nil && s.Fault(w, r):
	case !strings.Contains(r.Header.Get("Authorization"), "Credential="+AccessKey+"/"):
		refuse(w, http.StatusForbidden, "InvalidAccessKeyId", "The access key is not known.")
	case bucket != s.Bucket:
		refuse(w, http.StatusNotFound, "NoSuchBucket", "There is no such bucket.")
	case key == "":
		s.serveBucket(w, r)
	default:
		s.serveObject(w, r, key)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/xml")
	io.WriteString(w, xml.Header)
	xml.NewEncoder(w).Encode(v)
}

func (s *Server) serveBucket(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("delete"):
		s.serveDelete(w, r)
	case q.Has("versioning"):
		status := ""
		if s.isVersioned() {
			status = "<Status>Enabled</Status>"
		}
		fmt.Fprintf(w, `<VersioningConfiguration>%s</VersioningConfiguration>`, status)
	case q.Has("versions"):
		s.serveVersions(w, q)
	case r.Method == http.MethodGet:
		s.serveList(w, q)
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented", r.Method)
	}
}

type listed struct {
	XMLName      xml.Name
	Key          string `xml:",omitempty"`
	Prefix       string `xml:",omitempty"`
	VersionID    string `xml:"VersionId,omitempty"`
	IsLatest     *bool  `xml:",omitempty"`
	Size         *int   `xml:",omitempty"`
	ETag         string `xml:",omitempty"`
	LastModified string `xml:",omitempty"`
}

type listResult struct {
	XMLName               xml.Name
	IsTruncated           bool
	EncodingType          string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	NextKeyMarker         string `xml:",omitempty"`
	NextVersionIDMarker   string `xml:"NextVersionIdMarker,omitempty"`
	Entries               []listed
}

const pageKeys = 1000

// page calls take with the keys of a listing until it returns false.
func (s *Server) page(q url.Values, after string, take func(key string, prefix bool) bool) {
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	keys := s.sorted()
	start, _ := slices.BinarySearch(keys, max(prefix, after))
	for i := start; i < len(keys) && strings.HasPrefix(keys[i], prefix); {
		key := keys[i]
		if key <= after && after != "" {
			i++
			continue
		}
		if cut := strings.Index(key[len(prefix):], "/"); delimiter != "" && cut >= 0 {
			common := key[:len(prefix)+cut+1]
			if !(strings.HasPrefix(after, common) && after == common+"\U0010FFFF") && !take(common, true) {
				return
			}
			i, _ = slices.BinarySearch(keys, common+"\U0010FFFF")
			continue
		}
		if !take(key, false) {
			return
		}
		i++
	}
}

func (s *Server) serveList(w http.ResponseWriter, q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := pageKeys
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = min(n, limit)
	}
	out := listResult{XMLName: xml.Name{Local: "ListBucketResult"}, EncodingType: q.Get("encoding-type")}
	last := ""
	s.page(q, max(q.Get("start-after"), q.Get("continuation-token")), func(key string, prefix bool) bool {
		v := s.objects[key]
		if !prefix && v[len(v)-1].Deleted {
			return true
		}
		if len(out.Entries) == limit {
			out.IsTruncated, out.NextContinuationToken = true, last
			return false
		}
		last = key
		if prefix {
			last += "\U0010FFFF"
			out.Entries = append(out.Entries, listed{XMLName: xml.Name{Local: "CommonPrefixes"}, Prefix: url.QueryEscape(key)})
			return true
		}
		out.Entries = append(out.Entries, v[len(v)-1].listed("Contents", key))
		return true
	})
	reply(w, out)
}

func (v *Version) listed(name, key string) listed {
	size := len(v.Data)
	return listed{XMLName: xml.Name{Local: name}, Key: url.QueryEscape(key), Size: &size, ETag: `"` + v.ETag + `"`,
		LastModified: v.Modified.UTC().Format("2006-01-02T15:04:05.000Z")}
}

func (s *Server) serveVersions(w http.ResponseWriter, q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := listResult{XMLName: xml.Name{Local: "ListVersionsResult"}, EncodingType: q.Get("encoding-type")}
	s.page(q, q.Get("key-marker"), func(key string, prefix bool) bool {
		if len(out.Entries) >= pageKeys {
			out.IsTruncated = true
			return false
		}
		out.NextKeyMarker = key
		if prefix {
			out.NextKeyMarker += "\U0010FFFF"
			out.Entries = append(out.Entries, listed{XMLName: xml.Name{Local: "CommonPrefixes"}, Prefix: url.QueryEscape(key)})
			return true
		}
		all := s.objects[key]
		for i, v := range slices.Backward(all) {
			name := "Version"
			if v.Deleted {
				name = "DeleteMarker"
			}
			latest := i == len(all)-1
			e := v.listed(name, key)
			e.IsLatest, e.VersionID = &latest, v.ID
			if v.ID == "" {
				e.VersionID = "null"
			}
			out.Entries = append(out.Entries, e)
		}
		return true
	})
	if s.apart {
		slices.SortStableFunc(out.Entries, func(a, b listed) int { return strings.Compare(a.XMLName.Local, b.XMLName.Local) })
	}
	if !out.IsTruncated {
		out.NextKeyMarker = ""
	}
	out.NextKeyMarker = url.QueryEscape(out.NextKeyMarker)
	reply(w, out)
}

func (s *Server) serveDelete(w http.ResponseWriter, r *http.Request) {
	var in struct{ Object []struct{ Key string } }
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", err.Error())
		return
	}
	for _, o := range in.Object {
		s.Delete(o.Key)
	}
	io.WriteString(w, `<DeleteResult></DeleteResult>`)
}

func (s *Server) serveObject(w http.ResponseWriter, r *http.Request, key string) {
	q := r.URL.Query()
	switch {
	case q.Has("tagging"):
		s.serveTags(w, key, q.Get("versionId"))
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		s.serveGet(w, r, key)
	case q.Has("uploads"):
		s.begin(w, r, key)
	case q.Has("partNumber"):
		s.part(w, r, q)
	case r.Method == http.MethodPost && q.Has("uploadId"):
		s.complete(w, r, key, q.Get("uploadId"))
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		s.mu.Lock()
		delete(s.uploads, q.Get("uploadId"))
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		s.servePut(w, r, key)
	case r.Method == http.MethodDelete:
		s.Delete(key)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) serveTags(w http.ResponseWriter, key, version string) {
	v := s.find(key, version)
	if v == nil {
		refuse(w, http.StatusNotFound, "NoSuchKey", key)
		return
	}
	values, _ := url.ParseQuery(v.Tags)
	io.WriteString(w, "<Tagging><TagSet>")
	for name := range values {
		fmt.Fprintf(w, "<Tag><Key>%s</Key><Value>%s</Value></Tag>", name, values.Get(name))
	}
	io.WriteString(w, "</TagSet></Tagging>")
}

func (s *Server) serveGet(w http.ResponseWriter, r *http.Request, key string) {
	v := s.find(key, r.URL.Query().Get("versionId"))
	if v == nil || v.Deleted {
		refuse(w, http.StatusNotFound, "NoSuchKey", key)
		return
	}
	for name, values := range v.Header {
		w.Header()[name] = values
	}
	w.Header().Set("ETag", `"`+v.ETag+`"`)
	if v.ID != "" {
		w.Header().Set("X-Amz-Version-Id", v.ID)
	}
	if n := strings.Count(v.Tags, "="); n > 0 {
		w.Header().Set("X-Amz-Tagging-Count", strconv.Itoa(n))
	}
	if match := r.Header.Get("If-Match"); match != "" && match != `"`+v.ETag+`"` {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "It has another ETag.")
		return
	}
	http.ServeContent(&counting{w, s}, r, "", v.Modified, strings.NewReader(string(v.Data)))
}

type counting struct {
	http.ResponseWriter
	server *Server
}

// Write implements io.Writer.
func (c *counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.server.mu.Lock()
	c.server.received += int64(n)
	c.server.mu.Unlock()
	return n, err
}

// storedHeader returns what of a request's header an object keeps.
func storedHeader(h http.Header) http.Header {
	kept := http.Header{}
	for name, values := range h {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "x-amz-meta-"), lower == "content-type", lower == "cache-control", lower == "content-encoding",
			lower == "content-disposition", lower == "content-language", lower == "expires":
			kept[name] = values
		}
	}
	return kept
}

func (s *Server) servePut(w http.ResponseWriter, r *http.Request, key string) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.Header.Get("If-None-Match") == "*" && s.Get(key) != nil {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "There is one.")
		return
	}
	v := s.PutVersion(key, &Version{Data: data, Header: storedHeader(r.Header), Tags: r.Header.Get("X-Amz-Tagging"), Modified: time.Now()})
	w.Header().Set("ETag", `"`+v.ETag+`"`)
}

func (s *Server) begin(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counter++
	id := "upload-" + strconv.Itoa(s.counter)
	s.uploads[id] = &upload{key: key, header: r.Header.Clone(), parts: map[int][]byte{}}
	fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", id)
}

func (s *Server) part(w http.ResponseWriter, r *http.Request, q url.Values) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[q.Get("uploadId")]
	number, err := strconv.Atoi(q.Get("partNumber"))
	if u == nil || err != nil {
		refuse(w, http.StatusNotFound, "NoSuchUpload", "")
		return
	}
	u.parts[number] = data
	sum := md5.Sum(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, key, id string) {
	s.mu.Lock()
	u := s.uploads[id]
	delete(s.uploads, id)
	s.mu.Unlock()
	if u == nil {
		refuse(w, http.StatusNotFound, "NoSuchUpload", "")
		return
	}
	if r.Header.Get("If-None-Match") == "*" && s.Get(key) != nil {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "There is one.")
		return
	}
	var data, sums []byte
	for i := range len(u.parts) {
		sum := md5.Sum(u.parts[i+1])
		data, sums = append(data, u.parts[i+1]...), append(sums, sum[:]...)
	}
	sum := md5.Sum(sums)
	etag := fmt.Sprintf("%s-%d", hex.EncodeToString(sum[:]), len(u.parts))
	s.PutVersion(key, &Version{Data: data, ETag: etag, Header: storedHeader(u.header), Tags: u.header.Get("X-Amz-Tagging"), Modified: time.Now()})
	fmt.Fprintf(w, `<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>"%s"</ETag></CompleteMultipartUploadResult>`,
		s.Bucket, url.QueryEscape(key), etag)
}

// Uploads returns the number of uploads that were begun and neither completed nor dropped.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}
