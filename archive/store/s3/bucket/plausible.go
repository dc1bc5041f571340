package bucket

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/packstone/packstone/archive/store"
)

// plausible returns why an answer of success is none of S3. A proxy, or a page that asks for a
// log-in, answers everything, and the libraries take what they do not know for an answer without
// content: a listing without objects, a removal without failures, an object that is stored.
func plausible(r *http.Request, answer *http.Response) error {
	if answer.StatusCode >= http.StatusMultipleChoices {
		return nil
	}
	content, query := r.Context().Value(contentKey{}) != nil, r.URL.Query()
	if whole := answer.StatusCode == http.StatusOK; !whole && !(content && answer.StatusCode == http.StatusPartialContent) && !short(r.Method, query) {
		return strange(r, answer, "has this status")
	}
	switch {
	case content, short(r.Method, query):
		return nil
	case r.Method == http.MethodHead, r.Method == http.MethodPut:
		return hasTag(r, answer)
	}
	return hasRoot(r, answer, rootOf(r.Method, query))
}

// short reports whether a request is answered by its status alone.
func short(method string, query url.Values) bool {
	return method == http.MethodDelete || query.Has("restore") || method == http.MethodPut && query.Has("retention")
}

// hasTag wants the ETag that every object has.
func hasTag(r *http.Request, answer *http.Response) error {
	if answer.Header.Get("ETag") == "" {
		return strange(r, answer, "has no ETag")
	}
	return nil
}

// rootOf is the element that an answer consists of; empty if any will do.
func rootOf(method string, query url.Values) string {
	switch {
	case query.Has("versions"):
		return "ListVersionsResult"
	case query.Has("list-type"):
		return "ListBucketResult"
	case query.Has("delete"):
		return "DeleteResult"
	case query.Has("uploads") && method == http.MethodPost:
		return "InitiateMultipartUploadResult"
	case query.Has("uploadId") && method == http.MethodPost:
		return "CompleteMultipartUploadResult"
	}
	return ""
}

// hasRoot reads an answer up to its first element, and has that read again. A server that has begun
// to answer may find an error then, under the status of success.
func hasRoot(r *http.Request, answer *http.Response, want string) error {
	var seen bytes.Buffer
	name, err := firstElement(io.TeeReader(answer.Body, &seen))
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&seen, answer.Body), answer.Body}
	var syntax *xml.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.As(err, &syntax):
		return strange(r, answer, "is no XML")
	case err != nil:
		return err
	case name == "Error":
		answer.StatusCode = http.StatusInternalServerError
	case want != "" && name != want, strings.EqualFold(name, "html"):
		return strange(r, answer, fmt.Sprintf("is <%s>", name))
	}
	return nil
}

// firstElement returns the name of the first element.
func firstElement(text io.Reader) (string, error) {
	for d := xml.NewDecoder(text); ; {
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
