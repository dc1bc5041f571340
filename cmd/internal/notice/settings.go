package notice

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/packstone/packstone/cmd/internal/jsonschema"
)

// Entry is one way to notify somebody: exactly one of webhook, command, mail and ping.
type Entry struct {
	Webhook     URL    `yaml:"webhook,omitempty" doc:"A URL to which each notice is sent as JSON, by POST. Whoever knows it can write there: better in webhook_file."`
	WebhookFile string `yaml:"webhook_file,omitempty" doc:"A file whose first line is that URL; further lines are headers, as in Authorization: Bearer TOKEN."`
	Template    string `yaml:"template,omitempty" doc:"Of a webhook: a file with the text that is sent instead, as a template of Go: docs/examples/notify has some."`

	Command []string `yaml:"command,omitempty" doc:"A program and its arguments; no shell is involved. It gets the notice as JSON on its standard input, and PACKSTONE_NOTICE_EVENT, _SET, _TITLE and _TEXT."`
	SMTP    SMTP     `yaml:"smtp,omitempty" doc:"A server that takes mail."`

	Ping     URL    `yaml:"ping,omitempty" doc:"A URL in the manner of healthchecks.io, asked at every run: with /start at its beginning, as it is after a success, with /fail and the reason after a failure."`
	PingFile string `yaml:"ping_file,omitempty" doc:"A file whose first line is that URL."`

	On   []string `yaml:"on,omitempty" doc:"What is told: failed, late (or stale), incomplete, damaged, tripwire, recovered. Without it, all. A ping has no use for it."`
	Sets []string `yaml:"sets,omitempty" doc:"Of which sets. Without it, of all."`
}

// SMTP is a mail server, and the header of the mails.
type SMTP struct {
	Host         string   `yaml:"host" doc:"The server."`
	Port         int      `yaml:"port,omitempty" doc:"Its port: 587 if it is not named; 465 is TLS from the first byte."`
	From         string   `yaml:"from" doc:"The sender's address."`
	To           []string `yaml:"to" doc:"Who gets the mail."`
	User         string   `yaml:"user,omitempty" doc:"The user that logs in; without one nobody does."`
	PasswordFile string   `yaml:"password_file,omitempty" doc:"A file with the user's password."`
	StartTLS     Flag     `yaml:"starttls,omitempty" doc:"true: nothing is sent before TLS has begun. false: without TLS, for a server on this machine; no password is sent then. true if it is not named."`
}

func (s *SMTP) given() bool {
	return s.Host != "" || s.From != "" || len(s.To) > 0 || s.Port != 0 || s.User != "" || s.PasswordFile != "" || s.StartTLS != ""
}

// URL is a URL whose path and parameters are secret.
type URL string

// MarshalYAML hides what is secret, for showing settings.
func (u URL) MarshalYAML() (any, error) {
	if u == "" {
		return "", nil
	}
	parsed, err := url.Parse(string(u))
	if err != nil {
		return "xxxxx", nil
	}
	return parsed.Scheme + "://" + parsed.Host + "/xxxxx", nil
}

// Flag is true or false, by default true.
type Flag string

// JSONSchema describes the flag.
func (Flag) JSONSchema() jsonschema.Schema { return jsonschema.Schema{"type": "boolean"} }

// Files returns pointers to the paths in an entry, for the caller to make absolute.
func (e *Entry) Files() []*string {
	return []*string{&e.WebhookFile, &e.Template, &e.PingFile, &e.SMTP.PasswordFile}
}

// isPing reports whether the entry is for runs, not for states.
func (e *Entry) isPing() bool { return e.Ping != "" || e.PingFile != "" }

// Check returns an error if an entry is wrong. It does not read the files that the entry names.
func (e *Entry) Check() error {
	ways := 0
	for _, given := range []bool{e.Webhook != "", e.WebhookFile != "", len(e.Command) > 0, e.SMTP.given(), e.Ping != "", e.PingFile != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("names %d ways to tell; it must be one of webhook, webhook_file, command, smtp, ping and ping_file", ways)
	}
	if e.Template != "" && e.Webhook == "" && e.WebhookFile == "" {
		return errors.New("template is for a webhook")
	}
	if e.isPing() && len(e.On) > 0 {
		return errors.New("a ping takes no on: it is sent at every run")
	}
	if len(e.Command) > 0 && e.Command[0] == "" {
		return errors.New("command is empty")
	}
	for _, u := range []URL{e.Webhook, e.Ping} {
		if err := checkURL(string(u)); u != "" && err != nil {
			return err
		}
	}
	return errors.Join(e.checkOn(), e.SMTP.check())
}

func (e *Entry) checkOn() error {
	for _, word := range e.On {
		if !slices.Contains(Events, eventNamed(word)) {
			return fmt.Errorf("on: there is no %q; these are known: failed, late (or stale), incomplete, damaged, tripwire, recovered", word)
		}
	}
	return nil
}

// eventNamed returns the event for a word in the settings.
func eventNamed(word string) Event {
	if word == "stale" {
		return Late
	}
	return Event(word)
}

// wants reports whether an entry wants this notice.
func (e *Entry) wants(n *Notice) bool {
	if e.isPing() || !e.isOf(n.Set) {
		return false
	}
	return len(e.On) == 0 || slices.ContainsFunc(e.On, func(word string) bool { return eventNamed(word) == n.Event })
}

func (e *Entry) isOf(set string) bool { return len(e.Sets) == 0 || slices.Contains(e.Sets, set) }

// checkURL checks a URL. Its errors do not repeat the URL, which is a secret.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("not a URL such as https://example.org/…")
	}
	return nil
}

func (s *SMTP) check() error {
	if !s.given() {
		return nil
	}
	switch {
	case s.Host == "":
		return errors.New("smtp: host is empty")
	case s.Port < 0 || s.Port > 65535:
		return fmt.Errorf("smtp: %d is not a port", s.Port)
	case len(s.To) == 0:
		return errors.New("smtp: to is empty")
	case (s.User == "") != (s.PasswordFile == ""):
		return errors.New("smtp: user and password_file go together")
	case s.StartTLS != "" && s.StartTLS != "true" && s.StartTLS != "false":
		return fmt.Errorf("smtp: starttls: expected true or false, found %q", string(s.StartTLS))
	case s.StartTLS == "false" && s.User != "":
		return errors.New("smtp: a password is not sent without TLS: leave out starttls: false, or user and password_file")
	}
	for _, address := range append([]string{s.From}, s.To...) {
		if _, err := mail.ParseAddress(address); err != nil || strings.ContainsAny(address, "\r\n") {
			return fmt.Errorf("smtp: %q is not an address such as backup@example.org", address)
		}
	}
	return nil
}
