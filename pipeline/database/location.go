package database

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Location is a database's URL. It never prints its password: String, %v, %+v,
// JSON and errors made by Wrap all show "xxxxx" in its place. The zero value is
// no location.
type Location struct {
	scheme string
	raw    string
	secret []string
}

// ParseLocation reads a URL such as postgres://user@host/name, mysql://…,
// oracle://…, sqlserver://… or sqlite:PATH. The error does not repeat the URL.
func ParseLocation(raw string) (Location, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || scheme == "" || rest == "" {
		return Location{}, errors.New("parse database URL: it does not begin with a scheme such as postgres:// or sqlite: and a path")
	}
	scheme = strings.ToLower(scheme)
	if scheme == "sqlite" {
		return Location{scheme: scheme, raw: rest}, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Location{}, fmt.Errorf("parse database URL of scheme %s: not a valid URL", scheme)
	}
	return Location{scheme: scheme, raw: raw, secret: secretsOf(u)}, nil
}

// secretsOf lists the spellings of a URL's password, so that they can be
// scrubbed from any text.
func secretsOf(u *url.URL) []string {
	var out []string
	add := func(password string) {
		if password == "" {
			return
		}
		escaped := strings.TrimPrefix(url.UserPassword("", password).String(), ":")
		out = append(out, password, escaped, url.QueryEscape(password))
	}
	if password, ok := u.User.Password(); ok {
		add(password)
	}
	add(u.Query().Get("password"))
	return out
}

// Scheme is the URL's scheme in lower case.
func (l Location) Scheme() string { return l.scheme }

// Reveal returns the URL with its password, for a driver's connect call only.
// For sqlite: it is the path.
func (l Location) Reveal() string { return l.raw }

// HasPassword says whether the URL carries a password.
func (l Location) HasPassword() bool { return len(l.secret) > 0 }

// WithPassword returns the location with this password.
func (l Location) WithPassword(password string) (Location, error) {
	u, err := url.Parse(l.raw)
	if err != nil || l.scheme == "sqlite" {
		return Location{}, fmt.Errorf("add a password to %s: this URL cannot hold one", l)
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return Location{scheme: l.scheme, raw: u.String(), secret: secretsOf(u)}, nil
}

// String returns the URL without its password.
func (l Location) String() string {
	if l.scheme == "sqlite" {
		return "sqlite:" + l.raw
	}
	return l.masked()
}

// masked is the URL with the password replaced where a URL has it: before the @, and among the
// parameters.
func (l Location) masked() string {
	rest, parameters, asked := strings.Cut(l.raw, "?")
	if asked {
		parameters = "?" + l.replacer().Replace(parameters)
	}
	before, authority, ok := strings.Cut(rest, "://")
	if !ok {
		return l.scrub(l.raw)
	}
	path := ""
	if slash := strings.IndexByte(authority, '/'); slash >= 0 {
		authority, path = authority[:slash], authority[slash:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if user, _, secret := strings.Cut(authority[:at], ":"); secret {
			authority = user + ":xxxxx" + authority[at:]
		}
	}
	return before + "://" + authority + path + parameters
}

// GoString hides the password from %#v.
func (l Location) GoString() string { return "database.Location(" + l.String() + ")" }

// MarshalText gives the URL without its password.
func (l Location) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Wrap names the act and this location, and removes the password from the
// cause's text. errors.Is and errors.As still see the cause.
func (l Location) Wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	return &locationError{text: act + " " + l.String() + ": " + l.scrub(err.Error()), cause: err}
}

// replacer goes over a text once: a password may be part of what stands for it.
func (l Location) replacer() *strings.Replacer {
	var pairs []string
	for _, secret := range l.secret {
		pairs = append(pairs, secret, "xxxxx")
	}
	return strings.NewReplacer(pairs...)
}

// shortSecret is the length from which on a password is no part of a word by chance.
const shortSecret = 6

// scrub removes the password from a text: anywhere, or if it is short, wherever it is no part of a
// longer word.
func (l Location) scrub(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		if n := l.secretAt(text, i); n > 0 {
			out.WriteString("xxxxx")
			i += n
			continue
		}
		out.WriteByte(text[i])
		i++
	}
	return out.String()
}

// secretAt is the length of the password that begins at a place of the text; 0: none does.
func (l Location) secretAt(text string, at int) int {
	longest := 0
	for _, secret := range l.secret {
		end := at + len(secret)
		if !strings.HasPrefix(text[at:], secret) || len(secret) <= longest {
			continue
		}
		inside := at > 0 && inWord(text[at-1]) && inWord(secret[0]) || end < len(text) && inWord(text[end]) && inWord(text[end-1])
		if len(secret) >= shortSecret || !inside {
			longest = len(secret)
		}
	}
	return longest
}

func inWord(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

type locationError struct {
	text  string
	cause error
}

// Error implements error.
func (e *locationError) Error() string { return e.text }

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (e *locationError) Unwrap() error { return e.cause }
