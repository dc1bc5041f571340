package bucket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/s3/bucket"
)

// parrot answers every request with the same.
type parrot struct {
	status       int
	header, body []byte
	asked        int // requests since the last call
}

// patience is how many requests a call may make of a parrot. A listing of two pages makes two.
const patience = 12

var errParrot = errors.New("it says the same again and again")

// RoundTrip implements http.RoundTripper.
func (p *parrot) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	if p.asked++; p.asked > patience {
		return nil, errParrot
	}
	header, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(bytes.Clone(p.header), "\r\n\r\n"...)))).ReadMIMEHeader()
	return &http.Response{
		Status: fmt.Sprint(p.status), StatusCode: p.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header(header), Body: io.NopCloser(bytes.NewReader(p.body)), ContentLength: int64(len(p.body)),
	}, nil
}

// clients are one of each kind, whose server is the parrot.
func (p *parrot) clients(t testing.TB) map[string]*bucket.Client {
	t.Helper()
	bare(t, "http://parrot.invalid")
	all := map[string]*bucket.Client{}
	for _, address := range []string{"s3://bucket/some", "minio+http://parrot.invalid/bucket/some"} {
		a, err := bucket.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		o := bucket.Options{AccessKey: "a", SecretKey: "s", Region: "us-east-1", Wrap: func(http.RoundTripper) http.RoundTripper { return p }}
		if all[address], err = bucket.Open(context.Background(), a, o); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// FuzzAnswers is about a server that answers anything: each call ends, and says in the words of
// package store what went wrong.
func FuzzAnswers(f *testing.F) {
	p := &parrot{}
	clients := p.clients(f)
	names := slices.Sorted(maps.Keys(calls))
	for _, seed := range []struct {
		status       uint16
		header, body string
	}{
		{0, "", `<ListBucketResult><Name>bucket</Name><KeyCount>1</KeyCount><EncodingType>url</EncodingType><Contents><Key>some%2Fa</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"e"</ETag><Size>5</Size></Contents><CommonPrefixes><Prefix>some/b/</Prefix></CommonPrefixes><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>`},
		{0, "", `<ListVersionsResult><Version><Key>some/a</Key><VersionId>01ARZ3NDEKTSV4RRFFQ69G5FAV</VersionId><IsLatest>true</IsLatest><Size>5</Size><ETag>"e"</ETag></Version><DeleteMarker><Key>some/a</Key><VersionId>2</VersionId></DeleteMarker><IsTruncated>true</IsTruncated><NextKeyMarker>some/a</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker></ListVersionsResult>`},
		{0, "ETag: \"e\"\r\nContent-Range: bytes 0-4/5\r\nLast-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\nX-Amz-Restore: ongoing-request=\"true\"\r\nX-Amz-Storage-Class: GLACIER\r\nX-Amz-Tagging-Count: 1", "12345"},
		{0, "", `<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>`},
		{0, "", `<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>`},
		{0, "", `<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter><Prefix>some</Prefix></Filter><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>`},
		{0, "", `<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>`},
		{0, "", `<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>key</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`},
		{0, "", `<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>`},
		{203, "Content-Type: application/xml", `<Error><Code>AccessDenied</Code><Message>no</Message><RequestId>r</RequestId></Error>`},
		{204, "", `<Error><Code>NoSuchKey</Code></Error>`}, {303, "Retry-After: 3", `<Error><Code>SlowDown</Code></Error>`}, {101, "Location: http://else.invalid/", ""},
	} {
		for call := range names {
			f.Add(byte(call), seed.status, []byte(seed.header), []byte(seed.body))
		}
	}
	f.Fuzz(func(t *testing.T, call byte, status uint16, header, body []byte) {
		p.status, p.header, p.body = 200+int(status)%400, header, body
		name := names[int(call)%len(names)]
		for address, c := range clients {
			p.asked = 0
			err := calls[name](c)
			if err != nil && !named(err) {
				t.Errorf("%s of %s: %v, which is no error of package store", name, address, err)
			}
			// minio-go asks for the pages of a listing by itself.
			if p.asked > patience && strings.HasPrefix(address, "s3:") {
				t.Errorf("%s of %s does not end", name, address)
			}
		}
	})
}

// answered are calls that a status of success without content answers.
var answered = map[string]bool{"remove one": true, "remove version": true, "lock": true, "thaw": true}

// calls are what is asked of a server.
var calls = map[string]func(c *bucket.Client) error{
	"list":     func(c *bucket.Client) error { return few(c, bucket.Query{Prefix: "some/"}) },
	"folder":   func(c *bucket.Client) error { return few(c, bucket.Query{Prefix: "some/", Delimited: true}) },
	"versions": func(c *bucket.Client) error { return few(c, bucket.Query{Prefix: "some/", Versions: true}) },
	"get":      get, "put": put, "tags": tags, "versioned": versioned,
	"part of": func(c *bucket.Client) error {
		_, body, err := c.Get(context.Background(), bucket.Ref{Key: "key", Version: "v"}, 3, 10)
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(io.Discard, body)
		return err
	},
	"head": func(c *bucket.Client) error {
		_, err := c.Head(context.Background(), bucket.Ref{Key: "key"})
		return err
	},
	"expiry": func(c *bucket.Client) error {
		_, err := c.Expiry(context.Background())
		return err
	},
	"remove one": func(c *bucket.Client) error { return c.Remove(context.Background(), "a") },
	"remove version": func(c *bucket.Client) error {
		return c.RemoveVersion(context.Background(), bucket.Ref{Key: "a", Version: "v"})
	},
	"lock": func(c *bucket.Client) error {
		return c.SetLock(context.Background(), bucket.Ref{Key: "a", Version: "v"}, store.Lock{Mode: store.Governance, Until: time.Unix(1e9, 0)}, false)
	},
	"lock of": func(c *bucket.Client) error {
		_, err := c.LockOf(context.Background(), bucket.Ref{Key: "a", Version: "v"})
		return err
	},
	"protection": func(c *bucket.Client) error {
		_, err := c.Protection(context.Background())
		return err
	},
	"thaw":   func(c *bucket.Client) error { return c.Thaw(context.Background(), "a", store.Thaw{}) },
	"remove": func(c *bucket.Client) error { return c.Remove(context.Background(), "a", "b") },
	"begin": func(c *bucket.Client) error {
		_, err := c.Begin(context.Background(), "key", bucket.PutOptions{})
		return err
	},
	"complete": func(c *bucket.Client) error {
		_, err := c.Complete(context.Background(), "key", "upload", []string{"e"}, bucket.PutOptions{Absent: true})
		return err
	},
}

// TestAnAnswerThatTellsNothingIsNotTakenForAnEmptyOne is about proxies, and pages that ask for a
// log-in: what they say is no listing without objects, and no removal without failures.
func TestAnAnswerThatTellsNothingIsNotTakenForAnEmptyOne(t *testing.T) {
	p := &parrot{}
	clients := p.clients(t)
	for _, answer := range []struct {
		status int
		body   string
	}{
		{200, ""}, {200, "<html><body>Log in</body></html>"}, {200, "<!DOCTYPE html><html><body>Log in<br/></body></html>"}, {200, `{"error": "log in"}`},
		{202, ""}, {204, ""}, {206, "<g/>"}, {203, "<html/>"}, {302, "<html/>"},
		{404, "<html><body>Not Found</body></html>"}, {200, "<script>location='/login'</script>"},
		{200, `<?xml version="1.0" encoding="ISO-8859-1"?><html/>`},
		{200, "<Error><Code>InternalError</Code><Message>no</Message></Error>"},
	} {
		p.status, p.body = answer.status, []byte(answer.body)
		for address, c := range clients {
			for name, call := range calls {
				p.asked = 0
				if err := call(c); err == nil && (len(answer.body) > 0 || !answered[name]) || errors.Is(err, store.ErrNotExist) {
					t.Errorf("%s of %s takes status %d and %q for an answer: %v", name, address, answer.status, answer.body, err)
				}
			}
		}
	}
}

// few lists up to some thousand objects.
func few(c *bucket.Client, q bucket.Query) error {
	left := 5000
	for _, err := range c.List(context.Background(), q) {
		if left--; err != nil || left == 0 {
			return err
		}
	}
	return nil
}

// named reports whether an error is one of those that callers know.
func named(err error) bool {
	var e *bucket.Error
	return errors.As(err, &e) || errors.Is(err, store.ErrInvalid)
}
