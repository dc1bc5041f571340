package sftp_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// relayRules is the environment's name for the directory with the rules of a relay.
const relayRules = "PACKSTONE_SFTP_RELAY"

func TestMain(m *testing.M) {
	if rules := os.Getenv(relayRules); rules != "" {
		relay(rules)
		return
	}
	os.Exit(m.Run())
}

// startRelayed starts sshd with this test's program between it and OpenSSH's SFTP server. A file in
// rules, named as below, says what goes wrong:
//
//	lose KIND     the session ends after the server has done such a request, before its answer is passed on; once
//	hold KIND     such a request waits until the file is removed; "held KIND" is there meanwhile
//	hide NAME     the server does not tell that it has an extension
//	refuse KIND   such a request fails without a reason and does not reach the server
func startRelayed(t *testing.T) (server *sftptest.Server, rules string) {
	t.Helper()
	rules = t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(rules, "start")
	text := fmt.Sprintf("#!/bin/sh\n%s='%s' exec '%s'\n", relayRules, rules, program)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return sftptest.Start(t, "ForceCommand "+script), rules
}

// rule makes one of the files, and tells its name.
func rule(t *testing.T, rules, text string) string {
	t.Helper()
	file := filepath.Join(rules, text)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func isRuled(rules, text string) bool {
	_, err := os.Stat(filepath.Join(rules, text))
	return err == nil
}

// relay passes packets between sshd and the SFTP server, and breaks them as it is told.
func relay(rules string) {
	server := exec.Command(sftpServer())
	in, _ := server.StdinPipe()
	out, _ := server.StdoutPipe()
	if err := server.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	r := &relaying{rules: rules, kinds: map[uint32]string{}, toClient: os.Stdout}
	go func() {
		r.requests(os.Stdin, in)
		in.Close()
	}()
	r.answers(bufio.NewReader(out))
	_ = server.Process.Kill()
	_ = server.Wait()
}

func sftpServer() string {
	for _, file := range []string{"/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server", "/usr/libexec/sftp-server"} {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return "sftp-server"
}

type relaying struct {
	rules    string
	mu       sync.Mutex
	kinds    map[uint32]string // of the requests under way
	toClient io.Writer
}

// packet reads one packet: its type and what follows.
func packet(from io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(from, body)
	return body, err
}

func pass(to io.Writer, body []byte) error {
	_, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

var kindNames = map[byte]string{3: "open", 4: "close", 5: "read", 6: "write", 7: "lstat", 13: "remove", 14: "mkdir", 11: "opendir", 17: "stat"}

// kindOf names a request: of an extension by its name before the @.
func kindOf(body []byte) string {
	if body[0] != 200 {
		return kindNames[body[0]]
	}
	name := body[9 : 9+binary.BigEndian.Uint32(body[5:])]
	kind, _, _ := strings.Cut(string(name), "@")
	return kind
}

func (r *relaying) requests(from io.Reader, to io.Writer) {
	for {
		body, err := packet(from)
		if err != nil {
			return
		}
		if body[0] != 1 { // the first one has no id
			kind, id := kindOf(body), binary.BigEndian.Uint32(body[1:])
			if isRuled(r.rules, "refuse "+kind) {
				status := binary.BigEndian.AppendUint32([]byte{101}, id)
				status = append(status, 0, 0, 0, 4, 0, 0, 0, 2, 'n', 'o', 0, 0, 0, 0)
				r.mu.Lock()
				_ = pass(r.toClient, status)
				r.mu.Unlock()
				continue
			}
			r.mu.Lock()
			r.kinds[id] = kind
			r.mu.Unlock()
			for isRuled(r.rules, "hold "+kind) {
				_ = os.WriteFile(filepath.Join(r.rules, "held "+kind), nil, 0o600)
				time.Sleep(time.Millisecond)
			}
		}
		if err := pass(to, body); err != nil {
			return
		}
	}
}

func (r *relaying) answers(from io.Reader) {
	for {
		body, err := packet(from)
		if err != nil {
			return
		}
		if body[0] == 2 {
			body = r.hideExtensions(body)
		} else {
			id := binary.BigEndian.Uint32(body[1:])
			r.mu.Lock()
			kind := r.kinds[id]
			delete(r.kinds, id)
			r.mu.Unlock()
			if os.Remove(filepath.Join(r.rules, "lose "+kind)) == nil {
				return
			}
		}
		r.mu.Lock()
		err = pass(r.toClient, body)
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *relaying) hideExtensions(body []byte) []byte {
	shown := body[:5:5]
	for rest := body[5:]; len(rest) > 0; {
		pair := rest
		var texts [2]string
		for i := range texts {
			n := binary.BigEndian.Uint32(rest)
			texts[i], rest = string(rest[4:4+n]), rest[4+n:]
		}
		if !isRuled(r.rules, "hide "+texts[0]) {
			shown = append(shown, pair[:len(pair)-len(rest)]...)
		}
	}
	return shown
}
