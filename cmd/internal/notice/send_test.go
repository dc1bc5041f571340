package notice_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/cmd/internal/health"
	"github.com/packstone/packstone/cmd/internal/notice"
	"github.com/packstone/packstone/cmd/internal/notice/noticetest"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

var failed = health.Set{Name: "platform", Host: "p1", State: health.Failed, Since: now, Cause: `no route: "10.0.0.1"`}

// told tells a failure by one way and returns what became of it.
func told(t *testing.T, e notice.Entry, o notice.Options) notice.Delivery {
	t.Helper()
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	o.Pause = time.Nanosecond
	var m notice.Memory
	all := notice.New([]notice.Entry{e}, o).Update(t.Context(), &m, []health.Set{failed}, now)
	if len(all) != 1 {
		t.Fatalf("%d deliveries, want 1", len(all))
	}
	if pending := m.Told[failed.Key()].Pending; pending != (all[0].Err != nil) {
		t.Errorf("the memory says pending=%v after %v", pending, all[0])
	}
	return all[0]
}

func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAWebhookGetsTheNoticeAsJSON(t *testing.T) {
	w := noticetest.NewWebhook(t)
	d := told(t, notice.Entry{WebhookFile: secret(t, w.URL+"/hook\nAuthorization: Bearer hunter2\n")}, notice.Options{})
	if d.Err != nil {
		t.Fatal(d)
	}
	got := w.Received()
	if len(got) != 1 || got[0].Path != "/hook" || got[0].Header.Get("Authorization") != "Bearer hunter2" {
		t.Fatalf("received %+v", got)
	}
	var n notice.Notice
	if err := json.Unmarshal([]byte(got[0].Body), &n); err != nil {
		t.Fatal(err)
	}
	if n.Event != notice.Failed || n.Set != "platform" || n.Cause != failed.Cause || !n.Since.Equal(now) {
		t.Errorf("received %s", got[0].Body)
	}
}

func TestTheExamplesOfTemplatesMakeJSON(t *testing.T) {
	files, err := filepath.Glob("../../../docs/examples/notify/*.json.tmpl")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %q, %v; want the examples", files, err)
	}
	for _, file := range files {
		w := noticetest.NewWebhook(t)
		if d := told(t, notice.Entry{Webhook: notice.URL(w.URL), Template: file}, notice.Options{}); d.Err != nil {
			t.Fatal(d)
		}
		body := w.Received()[0].Body
		if !json.Valid([]byte(body)) || !strings.Contains(body, "no route") || !strings.Contains(body, "platform") {
			t.Errorf("%s: made\n%s", file, body)
		}
	}
}

func TestAWebhookThatFailsIsTriedAgainWithinBounds(t *testing.T) {
	tests := []struct {
		name    string
		answers []int
		asked   int
		err     string
	}{
		{"at once", nil, 1, ""},
		{"after a failure", []int{500}, 2, ""},
		{"too many requests", []int{429, 503}, 3, ""},
		{"down", []int{500, 500, 500, 500}, 3, "the server answers 500 Internal Server Error"},
		{"wrong address", []int{404}, 1, "the server answers 404 Not Found"},
		{"moved", []int{302}, 1, "name the URL that it redirects to"},
	}
	for _, test := range tests {
		w := noticetest.NewWebhook(t)
		w.Answer(test.answers...)
		d := told(t, notice.Entry{Webhook: notice.URL(w.URL + "/secret-path")}, notice.Options{})
		if asked := len(w.Received()); asked != test.asked {
			t.Errorf("%s: asked %d times, want %d", test.name, asked, test.asked)
		}
		if test.err == "" && d.Err != nil || test.err != "" && !strings.Contains(d.String(), test.err) {
			t.Errorf("%s: %v, want %q", test.name, d, test.err)
		}
	}
}

func TestNoFailureShowsASecretOrLastsForEver(t *testing.T) {
	hanging, dead := noticetest.NewWebhook(t), noticetest.NewWebhook(t)
	hanging.Hang()
	deaf := noticetest.NewSMTP(t, "")
	deaf.Deafen()
	tests := []struct {
		name  string
		entry notice.Entry
		err   string // where it is a time limit, that is short
	}{
		{"hanging", notice.Entry{Webhook: notice.URL(hanging.URL + "/hunter2")}, "no answer within 50ms"},
		{"nobody there", notice.Entry{Webhook: "http://127.0.0.1:1/hunter2"}, "refused"},
		{"no TLS", notice.Entry{Webhook: notice.URL(strings.Replace(dead.URL, "http:", "https:", 1) + "/hunter2")}, "HTTP response to HTTPS client"},
		{"no file", notice.Entry{WebhookFile: "missing"}, "missing: no such file"},
		{"no URL", notice.Entry{WebhookFile: secret(t, "hunter2")}, "is not a URL"},
		{"no header", notice.Entry{WebhookFile: secret(t, "https://example.org\nhunter2")}, "is not a header"},
		{"no template", notice.Entry{Webhook: "http://127.0.0.1:1/hunter2", Template: "missing"}, "read template"},
		{"deaf mail", notice.Entry{SMTP: notice.SMTP{Host: deaf.Host, Port: deaf.Port, From: "a@example.org", To: []string{"b@example.org"}}}, "50ms"},
		{"slow command", notice.Entry{Command: []string{"sh", "-c", "exec sleep 600"}}, "it was stopped after 200ms"},
	}
	for _, test := range tests {
		o := notice.Options{Tries: 2}
		if strings.Contains(test.err, "ms") {
			o.Timeout = 50 * time.Millisecond
		}
		d := told(t, test.entry, o)
		if d.Err == nil || !strings.Contains(d.String(), test.err) {
			t.Errorf("%s: %v, want %q", test.name, d, test.err)
		}
		if strings.Contains(d.String(), "hunter2") {
			t.Errorf("%s shows the secret: %v", test.name, d)
		}
	}
}

func TestMailArrivesUnderTLSWithAPassword(t *testing.T) {
	const password = "hunter2"
	server := noticetest.NewSMTP(t, password)
	entry := notice.Entry{SMTP: notice.SMTP{Host: server.Host, Port: server.Port, From: "Backups <backup@example.org>", To: []string{"a@example.org", "b@example.org"},
		User: "backup", PasswordFile: secret(t, password+"\n")}}
	if d := told(t, entry, notice.Options{Roots: server.Roots}); d.Err != nil {
		t.Fatal(d)
	}
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	for _, part := range []string{"Subject: packstone: platform on p1: the backup failed", "From: \"Backups\" <backup@example.org>", "no route", "Auto-Submitted: auto-generated"} {
		if !strings.Contains(mails[0], part) {
			t.Errorf("the mail lacks %q:\n%s", part, mails[0])
		}
	}

	tests := []struct {
		name   string
		change func(e *notice.Entry)
		roots  bool
		err    string
	}{
		{"wrong password", func(e *notice.Entry) { e.SMTP.PasswordFile = secret(t, "wrong") }, true, "535"},
		{"no password file", func(e *notice.Entry) { e.SMTP.PasswordFile = "missing" }, true, "no such file"},
		{"a certificate of nobody", func(*notice.Entry) {}, false, "certificate"},
	}
	for _, test := range tests {
		e, o := entry, notice.Options{}
		if test.change(&e); test.roots {
			o.Roots = server.Roots
		}
		d := told(t, e, o)
		if d.Err == nil || !strings.Contains(d.String(), test.err) || strings.Contains(d.String(), password) {
			t.Errorf("%s: %v, want %q", test.name, d, test.err)
		}
	}
}

func TestMailThatIsRefusedIsNotTriedAgain(t *testing.T) {
	server := noticetest.NewSMTP(t, "")
	entry := notice.Entry{SMTP: notice.SMTP{Host: server.Host, Port: server.Port, From: "a@example.org", To: []string{"b@example.org"}, StartTLS: "false"}}
	if d := told(t, entry, notice.Options{}); d.Err != nil {
		t.Fatal(d)
	}
	server.Refuse("550 5.1.1 no such user")
	if d := told(t, entry, notice.Options{}); d.Err == nil || !strings.Contains(d.String(), "no such user") {
		t.Errorf("%v, want the refusal", d)
	}
	if n := len(server.Mails()); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestACommandGetsTheNotice(t *testing.T) {
	var out bytes.Buffer
	entry := notice.Entry{Command: []string{"sh", "-c", `cat; echo "$PACKSTONE_NOTICE_EVENT $PACKSTONE_NOTICE_SET"; exit ${FAIL:-0}`}}
	env := []string{"PATH=/usr/bin:/bin"}
	if d := told(t, entry, notice.Options{Env: env, Output: &out}); d.Err != nil {
		t.Fatal(d)
	}
	if got := out.String(); !strings.Contains(got, `"event":"failed"`) || !strings.HasSuffix(got, "failed platform\n") {
		t.Errorf("the command saw %s", got)
	}
	if d := told(t, entry, notice.Options{Env: append(env, "FAIL=4")}); d.Err == nil || !strings.Contains(d.String(), "exit status 4") {
		t.Errorf("%v, want exit status 4", d)
	}
}

func TestPingsTellOfRuns(t *testing.T) {
	w := noticetest.NewWebhook(t)
	s := notice.New([]notice.Entry{{Ping: notice.URL(w.URL + "/ping/uuid/")}, {Ping: notice.URL(w.URL + "/other"), Sets: []string{"other"}}}, notice.Options{})
	long := strings.Repeat("x", 20_000) + "the end"
	for _, step := range []struct {
		phase notice.Phase
		tail  string
	}{{notice.Start, ""}, {notice.Success, "fine"}, {notice.Failure, long}} {
		for _, d := range s.Ping(t.Context(), "platform", step.phase, step.tail) {
			if d.Err != nil {
				t.Error(d)
			}
		}
	}
	var m notice.Memory
	if all := s.Update(t.Context(), &m, []health.Set{failed}, now); len(all) != 0 {
		t.Errorf("pings were told a notice: %v", all)
	}
	got := w.Received()
	if len(got) != 3 || got[0].Path != "/ping/uuid/start" || got[1].Path != "/ping/uuid" || got[2].Path != "/ping/uuid/fail" {
		t.Fatalf("received %+v", got)
	}
	if body := got[2].Body; len(body) > 10_000 || !strings.HasSuffix(body, "the end") {
		t.Errorf("the tail has %d bytes and ends in %q", len(body), body[len(body)-10:])
	}
}

func TestAnEntryIsToldOnlyWhatItWants(t *testing.T) {
	w := noticetest.NewWebhook(t)
	entries := []notice.Entry{
		{Webhook: notice.URL(w.URL + "/recovered"), On: []string{"recovered"}},
		{Webhook: notice.URL(w.URL + "/stale"), On: []string{"stale", "damaged"}},
		{Webhook: notice.URL(w.URL + "/other"), Sets: []string{"other"}},
	}
	s := notice.New(entries, notice.Options{})
	var m notice.Memory
	for i, state := range []health.State{health.Failed, health.Late, health.Protected} {
		set := failed
		set.State = state
		s.Update(t.Context(), &m, []health.Set{set}, now.Add(time.Duration(i)*time.Hour))
	}
	var paths []string
	for _, r := range w.Received() {
		paths = append(paths, r.Path)
	}
	if got := strings.Join(paths, " "); got != "/stale /recovered" {
		t.Errorf("told %s", got)
	}
}

func TestATestReachesEveryWayOnce(t *testing.T) {
	w, server := noticetest.NewWebhook(t), noticetest.NewSMTP(t, "")
	entries := []notice.Entry{
		{Webhook: notice.URL(w.URL + "/hook"), On: []string{"damaged"}},
		{Ping: notice.URL(w.URL + "/ping")},
		{SMTP: notice.SMTP{Host: server.Host, Port: server.Port, From: "a@example.org", To: []string{"b@example.org"}}},
		{Webhook: "http://127.0.0.1:1/"},
	}
	all := notice.New(entries, notice.Options{Host: "p1", Roots: server.Roots, Pause: time.Nanosecond}).Test(t.Context(), now)
	var arrived int
	for _, d := range all {
		if d.Err == nil {
			arrived++
		}
	}
	if len(all) != 4 || arrived != 3 || all[3].Err == nil || len(server.Mails()) != 1 || len(w.Received()) != 3 {
		t.Errorf("%v, %d mails, %d requests", all, len(server.Mails()), len(w.Received()))
	}
}

func TestWrongEntriesAreRefused(t *testing.T) {
	good := notice.SMTP{Host: "h", From: "a@b.c", To: []string{"d@e.f"}}
	with := func(change func(s *notice.SMTP)) notice.Entry { s := good; change(&s); return notice.Entry{SMTP: s} }
	tests := map[string]notice.Entry{
		"names 0 ways":           {},
		"names 2 ways":           {Webhook: "http://a/b", Command: []string{"x"}},
		"not a URL":              {Webhook: "hunter2"},
		"there is no":            {Webhook: "http://a/b", On: []string{"sometimes"}},
		"takes no on":            {Ping: "http://a/b", On: []string{"failed"}},
		"template is for":        {Command: []string{"x"}, Template: "t"},
		"command is empty":       {Command: []string{""}},
		"host is empty":          with(func(s *notice.SMTP) { s.Host = "" }),
		"to is empty":            with(func(s *notice.SMTP) { s.To = nil }),
		"is not an address":      with(func(s *notice.SMTP) { s.From = "me" }),
		"go together":            with(func(s *notice.SMTP) { s.User = "u" }),
		"expected true or false": with(func(s *notice.SMTP) { s.StartTLS = "perhaps" }),
		"is not sent without":    with(func(s *notice.SMTP) { s.StartTLS, s.User, s.PasswordFile = "false", "u", "f" }),
		"is not a port":          with(func(s *notice.SMTP) { s.Port = 70000 }),
	}
	for want, e := range tests {
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v, want %q", e, err, want)
		}
	}
}

func TestATellerRemembersWhatItHasToldAcrossProcesses(t *testing.T) {
	w, path := noticetest.NewWebhook(t), filepath.Join(t.TempDir(), "told.json")
	sender := notice.New([]notice.Entry{{Webhook: notice.URL(w.URL)}}, notice.Options{Pause: time.Nanosecond})
	for range 2 {
		teller := notice.NewTeller(path, func(text string) { t.Error(text) })
		teller.Update(sender, []health.Set{failed}, now)
		teller.Close()
	}
	if got := w.Received(); len(got) != 1 {
		t.Errorf("a failure was told %d times, want once", len(got))
	}
}

func TestATellerThatForgotTellsAgainAndSaysSo(t *testing.T) {
	w, path := noticetest.NewWebhook(t), secret(t, "{")
	var said []string
	teller := notice.NewTeller(path, func(text string) { said = append(said, text) })
	teller.Update(notice.New([]notice.Entry{{Webhook: notice.URL(w.URL)}}, notice.Options{Pause: time.Nanosecond}), []health.Set{failed}, now)
	teller.Close()
	if len(said) != 1 || !strings.Contains(said[0], "cannot remember earlier notices, so they are sent again") || len(w.Received()) != 1 {
		t.Errorf("said %q, and told %d times", said, len(w.Received()))
	}
}

func TestATellerPingsAndWarnsOfWhatDidNotArrive(t *testing.T) {
	w := noticetest.NewWebhook(t)
	var said []string
	teller := notice.NewTeller(filepath.Join(t.TempDir(), "told.json"), func(text string) { said = append(said, text) })
	o := notice.Options{Pause: time.Nanosecond, Tries: 1}
	teller.Ping(notice.New([]notice.Entry{{Ping: notice.URL(w.URL + "/p")}}, o), "platform", notice.Start, "")
	teller.Ping(notice.New([]notice.Entry{{Ping: "http://127.0.0.1:1/"}}, o), "platform", notice.Failure, "why")
	teller.Ping(notice.New(nil, o), "platform", notice.Success, "")
	teller.Close()
	if got := w.Received(); len(got) != 1 || got[0].Path != "/p/start" {
		t.Errorf("received %+v", got)
	}
	if len(said) != 1 || !strings.Contains(said[0], "ping fail did not arrive") {
		t.Errorf("said %q", said)
	}
}
