package notice

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packstone/packstone/cmd/internal/health"
)

// Options determine how notices are sent. The zero value is ready for use.
type Options struct {
	Host    string         // this machine, in mails and trials
	Env     []string       // of commands: NAME=value
	Output  io.Writer      // takes what commands print; nil: nobody
	Timeout time.Duration  // of one try; 15 s if 0
	Tries   int            // of a notice by one way; 3 if 0
	Pause   time.Duration  // before the second try, and four times as long before the third; 1 s if 0
	Roots   *x509.CertPool // whose certificates servers may have; the system's if nil
}

// Sender delivers notices in the ways that settings define. It is safe for concurrent use.
type Sender struct {
	entries []Entry
	o       Options
}

// New returns a Sender for entries that have passed Check. It reads no files and does not connect:
// files with URLs and passwords are read when they are needed.
func New(entries []Entry, o Options) *Sender {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Tries <= 0 {
		o.Tries = 3
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	return &Sender{entries, o}
}

// Any reports whether there are any entries.
func (s *Sender) Any() bool { return s != nil && len(s.entries) > 0 }

// Delivery is the result of sending one notice in one way. It contains no secrets.
type Delivery struct {
	Way  string // such as "webhook hooks.example.org"
	What string // such as "failed" or "ping start"
	Err  error  // nil: it has arrived, as far as the other side says
}

// String returns the delivery as a line of a log.
func (d Delivery) String() string {
	if d.Err != nil {
		return fmt.Sprintf("%s: %s did not arrive: %v", d.Way, d.What, d.Err)
	}
	return fmt.Sprintf("%s: %s has arrived", d.Way, d.What)
}

// Tell sends a notice in all ways that want it, concurrently, and returns the result of each when
// all have ended. The options limit how long that takes.
func (s *Sender) Tell(ctx context.Context, n Notice) []Delivery {
	return s.each(ctx, string(n.Event), func(e *Entry) bool { return e.wants(&n) }, func(ctx context.Context, e *Entry) error { return s.tell(ctx, e, &n) })
}

// Update sends the notices for sets at now and records them in m, which the caller stores. It is
// not safe for concurrent use.
func (s *Sender) Update(ctx context.Context, m *Memory, sets []health.Set, now time.Time) (all []Delivery) {
	for _, n := range m.Decide(sets, now) {
		deliveries := s.Tell(ctx, n)
		m.Note(n, len(deliveries) == 0 || anyArrived(deliveries))
		all = append(all, deliveries...)
	}
	return all
}

func anyArrived(deliveries []Delivery) bool {
	for _, d := range deliveries {
		if d.Err == nil {
			return true
		}
	}
	return false
}

// Phase is a moment of a run that a ping reports. Its text is appended to the URL of the ping.
type Phase string

// The phases.
const (
	Start   Phase = "/start"
	Success Phase = ""
	Failure Phase = "/fail"
)

// name returns the phase in words.
func (p Phase) name() string {
	switch p {
	case Start:
		return "ping start"
	case Failure:
		return "ping fail"
	}
	return "ping success"
}

// Ping tells external monitors of a run of a set: that it begins, and how it ended, with the end of
// its log.
func (s *Sender) Ping(ctx context.Context, set string, phase Phase, tail string) []Delivery {
	wants := func(e *Entry) bool { return e.isPing() && e.isOf(set) }
	return s.each(ctx, phase.name(), wants, func(ctx context.Context, e *Entry) error { return s.ping(ctx, e, phase, tail) })
}

// Test sends a notice in every way, whatever events it wants, and returns what has arrived.
func (s *Sender) Test(ctx context.Context, now time.Time) []Delivery {
	all := func(*Entry) bool { return true }
	return s.each(ctx, "the test", all, func(ctx context.Context, e *Entry) error {
		if !e.isPing() {
			n := trial(e.first(), s.o.Host, now)
			return s.tell(ctx, e, &n)
		}
		if err := s.ping(ctx, e, Start, ""); err != nil {
			return err
		}
		return s.ping(ctx, e, Success, "packstone notify test")
	})
}

// first returns the first event that an entry wants.
func (e *Entry) first() Event {
	if len(e.On) == 0 {
		return Recovered
	}
	return eventNamed(e.On[0])
}

// each sends in all ways for which wants returns true, concurrently.
func (s *Sender) each(ctx context.Context, what string, wants func(*Entry) bool, send func(context.Context, *Entry) error) []Delivery {
	var chosen []*Entry
	for i := range s.entries {
		if wants(&s.entries[i]) {
			chosen = append(chosen, &s.entries[i])
		}
	}
	deliveries := make([]Delivery, len(chosen))
	var g errgroup.Group
	for i, e := range chosen {
		g.Go(func() error {
			deliveries[i] = Delivery{Way: e.way(), What: what, Err: send(ctx, e)}
			return nil
		})
	}
	_ = g.Wait() // the deliveries say what failed
	return deliveries
}

func (s *Sender) tell(ctx context.Context, e *Entry, n *Notice) error {
	switch {
	case len(e.Command) > 0:
		return s.command(ctx, e.Command, n) // not tried again: it may have done half its work
	case e.SMTP.given():
		return s.again(ctx, func(ctx context.Context) error { return s.mail(ctx, &e.SMTP, n) })
	}
	return s.webhook(ctx, e, n)
}

// way returns the name of an entry, without its secrets.
func (e *Entry) way() string {
	switch {
	case len(e.Command) > 0:
		return "command " + filepath.Base(e.Command[0])
	case e.SMTP.given():
		return "smtp " + e.SMTP.Host
	case e.Webhook != "":
		return "webhook " + hostOf(e.Webhook)
	case e.WebhookFile != "":
		return "webhook_file " + e.WebhookFile
	case e.PingFile != "":
		return "ping_file " + e.PingFile
	}
	return "ping " + hostOf(e.Ping)
}

func hostOf(u URL) string {
	if parsed, err := url.Parse(string(u)); err == nil {
		return parsed.Host
	}
	return ""
}

// lasting is a failure that another try does not cure.
type lasting struct{ error }

// Unwrap returns the cause, for errors.Is and errors.As.
func (l lasting) Unwrap() error { return l.error }

// again calls once until it succeeds, fails permanently, or the tries are used up. Each try has a
// time limit.
func (s *Sender) again(ctx context.Context, once func(context.Context) error) (err error) {
	pause := s.o.Pause
	for try := 1; ; try++ {
		begun := time.Now()
		limited, cancel := context.WithTimeout(ctx, s.o.Timeout)
		err = once(limited)
		cancel()
		if err != nil && time.Since(begun) >= s.o.Timeout && ctx.Err() == nil {
			err = fmt.Errorf("no answer within %s", s.o.Timeout)
		}
		var forGood lasting
		if err == nil || errors.As(err, &forGood) || try == s.o.Tries || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 4
		case <-ctx.Done():
			return err
		}
	}
}

// secretFile reads a file with a secret. Its errors do not contain the content.
func secretFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", lasting{fmt.Errorf("read the secret: %w", err)}
	}
	if secret := strings.TrimSpace(string(text)); secret != "" {
		return secret, nil
	}
	return "", lasting{fmt.Errorf("%s is empty", path)}
}
