package bucket

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/packstone/packstone/archive/store"
)

// plausible returns why an answer is none of S3. A proxy, or a page that asks for a log-in, answers
// everything, and the libraries take what they do not know for an answer without content: a listing
// without objects, a removal without failures, an object that is stored, or is not there.
func plausible(r *http.Request, answer *http.Response) error {
	content, query := r.Context().Value(contentKey{}) != nil, r.URL.Query()
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return hasNothingBut(r, answer, "Error")
	case answer.StatusCode >= http.StatusMultipleChoices:
		return nil
	case answer.StatusCode == http.StatusPartialContent && !content:
		return strange(r, answer, "has this status")
	case r.Method == http.MethodDelete, query.Has("restore"), r.Method == http.MethodPut && query.Has("retention"):
		return hasNothingBut(r, answer, "Error")
	case answer.StatusCode != http.StatusOK && !(content && answer.StatusCode == http.StatusPartialContent):
		return strange(r, answer, "has this status")
	case content:
		return isAsked(r, answer)
	case r.Method == http.MethodHead:
		return isObject(r, answer)
	case r.Method == http.MethodPut:
		return errors.Join(hasTag(r, answer), hasNothingBut(r, answer))
	}
	return hasRoot(r, answer, rootOf(r.Method, query)...)
}

// isAsked wants the object that was asked for, if the request says which one.
func isAsked(r *http.Request, answer *http.Response) error {
	if want := r.Header.Get("If-Match"); want != "" && bare(answer.Header.Get("ETag")) != bare(want) {
		return strange(r, answer, "has another ETag than was asked for")
	}
	if want := r.URL.Query().Get("versionId"); want != "" && answer.Header.Get("X-Amz-Version-Id") != want {
		return hasTag(r, answer)
	}
	return nil
}

func bare(tag string) string { return strings.Trim(tag, `"`) }

// isObject wants what only S3 says of an object. Some servers know no ETag of a file that was put on
// their disk by others.
func isObject(r *http.Request, answer *http.Response) error {
	for name := range answer.Header {
		if strings.HasPrefix(name, "X-Amz-") {
			return nil
		}
	}
	return hasTag(r, answer)
}

// hasTag wants the ETag that every object has. Frameworks add weak ones to pages.
func hasTag(r *http.Request, answer *http.Response) error {
	if tag := answer.Header.Get("ETag"); tag == "" || strings.HasPrefix(tag, "W/") {
		return strange(r, answer, "has no ETag of an object")
	}
	return nil
}

// hasNothingBut wants no content, or one of the elements: any of S3, if none is named.
func hasNothingBut(r *http.Request, answer *http.Response, elements ...string) error {
	begin := make([]byte, 1)
	n, err := io.ReadFull(answer.Body, begin)
	again(answer, begin[:n])
	if n == 0 {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	return hasRoot(r, answer, elements...)
}

// again has what was read of an answer read again.
func again(answer *http.Response, read []byte) {
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), answer.Body), answer.Body}
}

// rootOf are the elements of which one is the answer; none if any will do.
func rootOf(method string, query url.Values) []string {
	switch {
	case query.Has("versions"):
		return []string{"ListVersionsResult", "ListBucketResult"} // as some servers say
	case query.Has("list-type"):
		return []string{"ListBucketResult"}
	case query.Has("delete"):
		return []string{"DeleteResult"}
	case query.Has("uploads") && method == http.MethodPost:
		return []string{"InitiateMultipartUploadResult"}
	case query.Has("uploadId") && method == http.MethodPost:
		return []string{"CompleteMultipartUploadResult"}
	case query.Has("versioning"):
		return []string{"VersioningConfiguration"}
	case query.Has("lifecycle"):
		return []string{"LifecycleConfiguration"}
	case query.Has("tagging"):
		return []string{"Tagging"}
	case query.Has("object-lock"):
		return []string{"ObjectLockConfiguration"}
	}
	return nil
}

// hasRoot reads an answer up to its first element, and has that read again. A server that has begun
// to answer may find an error then, under the status of success.
func hasRoot(r *http.Request, answer *http.Response, want ...string) error {
	var seen bytes.Buffer
	name, err := firstElement(io.TeeReader(answer.Body, &seen))
	again(answer, seen.Bytes())
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.As(err, &syntax):
		return strange(r, answer, "is no XML")
	case err != nil:
		return err
	case name == "Error":
		if answer.StatusCode < http.StatusMultipleChoices {
			answer.StatusCode = http.StatusInternalServerError
		}
	case len(want) > 0 && !slices.Contains(want, name), isPage(name):
		return strange(r, answer, fmt.Sprintf("is <%s>", name))
	}
	return nil
}

// isPage reports whether an element is one of HTML.
func isPage(name string) bool {
	return slices.Contains([]string{"html", "head", "body", "script", "title", "meta", "div", "p"}, strings.ToLower(name))
}

// firstElement returns the name of the first element.
func firstElement(text io.Reader) (string, error) {
	d := xml.NewDecoder(text)
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // names are ASCII
	for {
		token, err := d.RawToken()
		if err != nil {
			return "", err
		}
		if element, is := token.(xml.StartElement); is {
			return element.Name.Local, nil
		}
	}
}

func strange(r *http.Request, answer *http.Response, what string) error {
	return &sentinel{fmt.Sprintf("%s is answered with %s by what does not speak S3: the answer %s; see whether a proxy or a page for a log-in stands between",
		r.Method, answer.Status, what), store.ErrInvalid}
}
