package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/template"
)

// request is an HTTP request to send.
type request struct {
	url    string
	header http.Header
	body   []byte
}

// webhook sends a notice with POST.
func (s *Sender) webhook(ctx context.Context, e *Entry, n *Notice) error {
	r, err := addressed(string(e.Webhook), e.WebhookFile)
	if err != nil {
		return err
	}
	if r.body, err = bodyOf(e.Template, n); err != nil {
		return err
	}
	if r.header.Get("Content-Type") == "" {
		r.header.Set("Content-Type", "application/json")
	}
	return s.post(ctx, r)
}

// mostTail is how many bytes of the log a ping contains.
const mostTail = 10_000

func (s *Sender) ping(ctx context.Context, e *Entry, phase Phase, tail string) error {
	r, err := addressed(string(e.Ping), e.PingFile)
	if err != nil {
		return err
	}
	u, err := url.Parse(r.url)
	if err != nil {
		return lasting{errors.New("that is no URL")}
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + string(phase)
	r.url, r.body = u.String(), []byte(strings.ToValidUTF8(tail[max(0, len(tail)-mostTail):], ""))
	r.header.Set("Content-Type", "text/plain; charset=utf-8")
	return s.post(ctx, r)
}

// addressed returns a request to the URL in the settings, or in the first line of a file, whose
// other lines are headers.
func addressed(text, file string) (*request, error) {
	r := &request{url: text, header: http.Header{"User-Agent": {"packstone"}}}
	if file == "" {
		return r, nil
	}
	secret, err := secretFile(file)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(secret, "\n")
	if r.url = strings.TrimSpace(lines[0]); checkURL(r.url) != nil {
		return nil, lasting{fmt.Errorf("the first line of %s is not a URL such as https://example.org/…", file)}
	}
	for i, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if !ok {
			return nil, lasting{fmt.Errorf("line %d of %s is not a header such as Authorization: Bearer TOKEN", i+2, file)}
		}
		r.header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return r, nil
}

// bodyOf returns a notice as JSON, or as a template formats it.
func bodyOf(file string, n *Notice) ([]byte, error) {
	if file == "" {
		return json.Marshal(n)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, lasting{fmt.Errorf("read template: %w", err)}
	}
	t, err := template.New(file).Funcs(template.FuncMap{"json": quoted}).Parse(string(text))
	if err != nil {
		return nil, lasting{fmt.Errorf("read template: %w", err)}
	}
	var b bytes.Buffer
	if err := t.Execute(&b, n); err != nil {
		return nil, lasting{fmt.Errorf("fill in template: %w", err)}
	}
	return b.Bytes(), nil
}

// quoted returns a value as JSON, for templates.
func quoted(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// post sends a request until the answer is a success.
func (s *Sender) post(ctx context.Context, r *request) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: s.o.Roots, MinVersion: tls.VersionTLS12}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s.again(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(r.body))
		if err != nil {
			return lasting{errors.New("that is no URL")}
		}
		req.Header = r.header
		answer, err := client.Do(req)
		if err != nil {
			return withoutURL(err)
		}
		defer answer.Body.Close()
		return judge(answer)
	})
}

// withoutURL removes the secret URL from an error.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// judge returns nil if an answer is a success, else an error that says whether another try may
// help.
func judge(answer *http.Response) error {
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 200)) // only to be shown
	if answer.StatusCode/100 == 2 {
		return nil
	}
	err := fmt.Errorf("the server answers %s", answer.Status)
	if text := strings.Join(strings.Fields(strings.ToValidUTF8(string(said), "")), " "); text != "" {
		err = fmt.Errorf("%w: %q", err, text)
	}
	switch {
	case answer.StatusCode/100 == 3:
		return lasting{fmt.Errorf("%w: name the URL that it redirects to", err)}
	case answer.StatusCode/100 == 4 && answer.StatusCode != http.StatusTooManyRequests && answer.StatusCode != http.StatusRequestTimeout:
		return lasting{err}
	}
	return err
}
