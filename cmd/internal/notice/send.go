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

// Options say how notices are sent. The zero value works.
type Options struct {
	Host    string         // this machine, in mails and trials
	Env     []string       // of commands: NAME=value
	Output  io.Writer      // takes what commands print; nil: nobody
	Timeout time.Duration  // of one try; 15 s if 0
	Tries   int            // of a notice by one way; 3 if 0
	Pause   time.Duration  // before the second try, and four times as long before the third; 1 s if 0
	Roots   *x509.CertPool // whose certificates servers may have; the system's if nil
}

// Sender tells notices in the ways that settings name. Safe for concurrent use.
type Sender struct {
	entries []Entry
	o       Options
}

// New makes a Sender of entries that have passed Check. It reads and connects nothing: files with
// URLs and passwords are read when they are needed.
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

// Any tells whether there is a way at all.
func (s *Sender) Any() bool { return s != nil && len(s.entries) > 0 }

// Delivery is what became of one notice by one way. It holds no secrets.
type Delivery struct {
	Way  string // such as "webhook hooks.example.org"
	What string // such as "failed" or "ping start"
	Err  error  // nil: it has arrived, as far as the other side says
}

// String is the delivery as a line of a log.
func (d Delivery) String() string {
	if d.Err != nil {
		return fmt.Sprintf("%s: %s did not arrive: %v", d.Way, d.What, d.Err)
	}
	return fmt.Sprintf("%s: %s has arrived", d.Way, d.What)
}

// Tell sends a notice by all ways that want it, at once, and says what became of each. It returns
// after the last, which the options bound.
func (s *Sender) Tell(ctx context.Context, n Notice) []Delivery {
	return s.each(ctx, string(n.Event), func(e *Entry) bool { return e.wants(&n) }, func(ctx context.Context, e *Entry) error { return s.tell(ctx, e, &n) })
}

// Update tells what there is to tell of sets at now and notes it in m, which the caller keeps. It
// is for one goroutine at a time.
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

// Phase is a moment of a run that is told by a ping. Its text is what the URL of the ping gets at
// its end.
type Phase string

// The phases.
const (
	Start   Phase = "/start"
	Success Phase = ""
	Failure Phase = "/fail"
)

// name is the phase in words.
func (p Phase) name() string {
	switch p {
	case Start:
		return "ping start"
	case Failure:
		return "ping fail"
	}
	return "ping success"
}

// Ping tells those who watch from outside of a run of a set: at its start, and how it ended, with
// the tail of what the run has said.
func (s *Sender) Ping(ctx context.Context, set string, phase Phase, tail string) []Delivery {
	wants := func(e *Entry) bool { return e.isPing() && e.isOf(set) }
	return s.each(ctx, phase.name(), wants, func(ctx context.Context, e *Entry) error { return s.ping(ctx, e, phase, tail) })
}

// Test sends something by every way, whatever it wants, and says what has arrived.
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

// first is the first event that an entry wants.
func (e *Entry) first() Event {
	if len(e.On) == 0 {
		return Recovered
	}
	return eventNamed(e.On[0])
}

// each sends by all ways that want something, at once.
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

// way names an entry without its secrets.
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

// Unwrap returns what is wrapped, for errors.Is and errors.As.
func (l lasting) Unwrap() error { return l.error }

// again tries until it succeeds, the failure is lasting, or the tries are used up. Each try has a
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

// secretFile reads a file with a secret; its content stands in no error.
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
