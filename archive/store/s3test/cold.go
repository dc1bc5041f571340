package s3test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cold is a server in memory that has storage classes, which versitygw has not: objects of GLACIER
// and DEEP_ARCHIVE can be read after a thaw only, which ends when the test says so.
type Cold struct {
	URL string

	// Fail may answer a request in the place of the server. It must be set before the first request.
	Fail func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	objects map[string]*coldObject
}

type coldObject struct {
	data     []byte
	class    string
	modified time.Time
	asked    string // the request for the thaw
	thawed   bool
}

func (o *coldObject) frozen() bool {
	return (o.class == "GLACIER" || o.class == "DEEP_ARCHIVE") && !o.thawed
}

// StartCold starts a server, which ends with the test. It has every bucket.
func StartCold(t testing.TB) *Cold {
	c := &Cold{objects: map[string]*coldObject{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// Classes returns the classes of objects by their keys: /bucket/key.
func (c *Cold) Classes() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]string{}
	for key, o := range c.objects {
		all[key] = o.class
	}
	return all
}

// Asked returns the requests for thaws by the keys of objects.
func (c *Cold) Asked() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]string{}
	for key, o := range c.objects {
		if o.asked != "" {
			all[key] = o.asked
		}
	}
	return all
}

// Thaw ends all thaws that were asked for.
func (c *Cold) Thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		o.thawed = o.thawed || o.asked != ""
	}
}

// Freeze ends the days for which objects can be read.
func (c *Cold) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		o.thawed, o.asked = false, ""
	}
}

// ServeHTTP implements http.Handler.
func (c *Cold) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || c.Fail != nil && c.Fail(w, r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	if key == "" {
		c.serveBucket(w, r, bucket)
		return
	}
	path := "/" + bucket + "/" + key
	o := c.objects[path]
	switch {
	case r.Method == http.MethodPut && o != nil && r.Header.Get("If-None-Match") == "*":
		refuse(w, r, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut && isWrong(r, body):
		refuse(w, r, http.StatusBadRequest, "BadDigest")
	case r.Method == http.MethodPut:
		w.Header().Set("ETag", `"e"`)
		c.objects[path] = &coldObject{data: body, class: r.Header.Get("X-Amz-Storage-Class"), modified: time.Now()}
	case r.Method == http.MethodDelete:
		delete(c.objects, path)
		w.WriteHeader(http.StatusNoContent)
	case o == nil:
		refuse(w, r, http.StatusNotFound, "NoSuchKey")
	case r.Method == http.MethodPost:
		o.serveThaw(w, r, string(body))
	default:
		o.serve(w, r)
	}
}

// isWrong reports whether a body is not the one of the request's checksum.
func isWrong(r *http.Request, body []byte) bool {
	sum := sha256.Sum256(body)
	told := r.Header.Get("X-Amz-Checksum-Sha256")
	return told != "" && told != base64.StdEncoding.EncodeToString(sum[:])
}

// serveBucket answers requests about a bucket: listings, and nothing else.
func (c *Cold) serveBucket(w http.ResponseWriter, r *http.Request, bucket string) {
	query := r.URL.Query()
	if r.Method != http.MethodGet || query.Get("list-type") != "2" {
		refuse(w, r, http.StatusNotImplemented, "NotImplemented")
		return
	}
	prefix, after := "/"+bucket+"/"+query.Get("prefix"), "/"+bucket+"/"+query.Get("start-after")
	type content struct {
		Key, ETag, StorageClass string
		Size                    int
		LastModified            string
	}
	page := struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		Name        string
		IsTruncated bool
		Contents    []content
	}{Name: bucket}
	for path, o := range c.objects {
		if strings.HasPrefix(path, prefix) && path > after {
			page.Contents = append(page.Contents, content{path[len(bucket)+2:], `"e"`, o.class, len(o.data), o.modified.UTC().Format(time.RFC3339)})
		}
	}
	slices.SortFunc(page.Contents, func(a, b content) int { return strings.Compare(a.Key, b.Key) })
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page)
}

// serveThaw answers a request for a thaw.
func (o *coldObject) serveThaw(w http.ResponseWriter, r *http.Request, request string) {
	switch {
	case !r.URL.Query().Has("restore"):
		refuse(w, r, http.StatusNotImplemented, "NotImplemented")
	case !o.frozen() && !o.thawed:
		refuse(w, r, http.StatusForbidden, "InvalidObjectState")
	case o.asked != "" && !o.thawed:
		refuse(w, r, http.StatusConflict, "RestoreAlreadyInProgress")
	default:
		o.asked = request
		w.WriteHeader(http.StatusAccepted)
	}
}

// serve answers GET and HEAD.
func (o *coldObject) serve(w http.ResponseWriter, r *http.Request) {
	if o.class != "" {
		w.Header().Set("X-Amz-Storage-Class", o.class)
	}
	switch {
	case o.thawed:
		w.Header().Set("X-Amz-Restore", `ongoing-request="false", expiry-date="Fri, 21 Dec 2040 00:00:00 GMT"`)
	case o.asked != "":
		w.Header().Set("X-Amz-Restore", `ongoing-request="true"`)
	}
	if r.Method == http.MethodGet && o.frozen() {
		refuse(w, r, http.StatusForbidden, "InvalidObjectState")
		return
	}
	w.Header().Set("ETag", `"e"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(o.data)))
		return
	}
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(o.data)))
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>refused</Message></Error>", code)
	}
}
