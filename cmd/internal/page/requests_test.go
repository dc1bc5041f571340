package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzRequests sends any address, form and headers to a page that everybody may see, and to one with
// a token. Nothing fails within, and no answer leads away from the page.
func FuzzRequests(f *testing.F) {
	w := newWorld(f, trusted)
	pages := []*Page{w.Page, New(w.source(), asToken)}
	for _, l := range looks {
		target := strings.TrimSuffix(l.path, "{$}") + "?id=%I&source=files&path=notes%2freadme.txt&before=%I&q=readme&all=yes&set=platform&host=host"
		f.Add(false, target, "", "")
		f.Add(false, apiPrefix+l.name+strings.TrimPrefix(target, l.path), "", "")
	}
	for _, a := range acts {
		f.Add(true, "/"+a.name, "id=%I&source=files&path=notes&place=..%2f..&job=check", "Origin: http://localhost")
	}
	for _, as := range []string{"tar", "zip", "file", "x"} {
		f.Add(false, "/download?id=%I&source=files&path=notes/readme.txt&as="+as, "", "Range: bytes=1-3")
	}
	f.Add(true, "/login?next=%2f%2felse.invalid", "token="+url.QueryEscape(token)+"&next=%2f%5celse.invalid", "Origin: http://localhost")
	f.Add(true, "/unlock?next=https:%2f%2felse.invalid", "identity="+url.QueryEscape(w.secret)+"&next=%2f%2felse.invalid", "Origin: http://localhost")
	f.Add(true, "/theme", "theme=dark&next=javascript:alert(1)", "Referer: http://else.invalid/")
	f.Add(false, "/picture?id=%I&source=files&path=pictures/drawing.svg", "", "Cookie: session=x; theme=<b>")
	f.Add(false, "/static/..%2fpage.go", "", "If-None-Match: *")
	f.Fuzz(func(t *testing.T, post bool, target, form, header string) {
		target, form = strings.ReplaceAll(target, "%I", w.ids[1]), strings.ReplaceAll(form, "%I", w.ids[1])
		u, err := url.ParseRequestURI("http://localhost" + target)
		if err != nil || u.Host != "localhost" {
			return
		}
		for _, p := range pages {
			r := httptest.NewRequest(map[bool]string{false: http.MethodGet, true: http.MethodPost}[post], "http://localhost/", strings.NewReader(form))
			r.URL, r.RequestURI, r.RemoteAddr = u, target, "127.0.0.1:5000"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for line := range strings.SplitSeq(header, "\n") {
				if name, value, ok := strings.Cut(line, ":"); ok {
					r.Header.Add(name, strings.TrimSpace(value))
				}
			}
			answer := httptest.NewRecorder()
			p.ServeHTTP(answer, r)
			if err := wrongWith(answer); err != nil {
				t.Errorf("%s %q with %q and %q: %v", r.Method, target, form, header, err)
			}
		}
	})
}

// wrongWith says what an answer must not be.
func wrongWith(answer *httptest.ResponseRecorder) error {
	if answer.Code >= 500 {
		return fmt.Errorf("%d: %.300s", answer.Code, answer.Body)
	}
	to := answer.Header().Get("Location")
	path, _, _ := strings.Cut(to, "?") // only there browsers take a backslash for a slash
	if to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(path, `\`) || strings.ContainsAny(to, "\r\n\t")) {
		return fmt.Errorf("it leads to %q", to)
	}
	if answer.Header().Get("X-Frame-Options") != "DENY" {
		return fmt.Errorf("its headers are %v", answer.Header())
	}
	body := answer.Body.String()
	if strings.HasPrefix(answer.Header().Get("Content-Type"), "text/html") && (strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x")) {
		return fmt.Errorf("it shows a name as markup: %.300s", body)
	}
	return nil
}
