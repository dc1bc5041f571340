package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/packstone/packstone/cmd/internal/notice/noticetest"
)

// hookKey and sinkKey are where a script keeps its servers of notices.
type (
	hookKey struct{}
	sinkKey struct{}
)

// webhook starts a server of webhooks and pings, and sets WEBHOOK to its URL. Afterwards webhook
// answer CODE… sets its next answers, webhook hang makes it answer nothing, and webhook received
// FILE writes what has arrived: a path and a body in each line.
func webhook(ts *testscript.TestScript, neg bool, args []string) {
	server, _ := ts.Value(hookKey{}).(**noticetest.Webhook)
	switch {
	case neg || server == nil:
		ts.Fatalf("usage: webhook [answer CODE... | hang | received FILE]")
	case len(args) == 0:
		*server = noticetest.NewWebhook(ts.Value(testKey{}).(testing.TB))
		ts.Setenv("WEBHOOK", (*server).URL)
	case args[0] == "answer":
		var codes []int
		for _, arg := range args[1:] {
			code, err := strconv.Atoi(arg)
			ts.Check(err)
			codes = append(codes, code)
		}
		(*server).Answer(codes...)
	case args[0] == "hang":
		(*server).Hang()
	default:
		var lines strings.Builder
		for _, r := range (*server).Received() {
			lines.WriteString(r.Path + " " + strings.ReplaceAll(r.Body, "\n", " ") + "\n")
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(lines.String()), 0o600))
	}
}

// smtpsink [PASSWORD] starts a server of mail, and sets SMTP_PORT. Afterwards smtpsink refuse LINE
// makes it refuse every recipient, and smtpsink received FILE writes the mails that have arrived,
// as a JSON array of texts.
func smtpSink(ts *testscript.TestScript, neg bool, args []string) {
	server, _ := ts.Value(sinkKey{}).(**noticetest.SMTP)
	switch {
	case neg || server == nil:
		ts.Fatalf("usage: smtpsink [PASSWORD | refuse LINE | received FILE]")
	case len(args) == 2 && args[0] == "refuse":
		(*server).Refuse(args[1])
	case len(args) == 2 && args[0] == "received":
		text, err := json.Marshal((*server).Mails())
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
	default:
		*server = noticetest.NewSMTP(ts.Value(testKey{}).(testing.TB), strings.Join(args, ""))
		ts.Setenv("SMTP_PORT", strconv.Itoa((*server).Port))
		certificate := ts.MkAbs("smtp.pem")
		ts.Check(os.WriteFile(certificate, (*server).PEM, 0o600))
		ts.Setenv("SMTP_PEM", certificate)
	}
}
