package ftp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// actor is a server that says what stands in its script, whatever it is asked: a part for each
// command, and the first when somebody connects. %P is the port at which it gives its listing.
type actor struct {
	script  [][]byte
	listing []byte
	port    int
}

// play answers one client, and hangs up after the last part.
func (a *actor) play(conn net.Conn) {
	defer conn.Close()
	commands := bufio.NewScanner(conn)
	for i, part := range a.script {
		if i > 0 && !commands.Scan() {
			return
		}
		if _, err := conn.Write(bytes.ReplaceAll(part, []byte("%P"), fmt.Append(nil, a.port))); err != nil {
			return
		}
	}
}

// open starts the actor on this machine, and returns a server for clients.
func (a *actor) open(t *testing.T) *Server {
	t.Helper()
	control, data := listen(t), listen(t)
	a.port = data.Addr().(*net.TCPAddr).Port
	go serve(control, a.play)
	go serve(data, func(conn net.Conn) {
		_, _ = conn.Write(a.listing)
		conn.Close()
	})
	s, err := NewServer(Options{Host: "127.0.0.1", Port: control.Addr().(*net.TCPAddr).Port, Timeout: 30 * time.Millisecond, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func serve(l net.Listener, each func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go each(conn)
	}
}

// welcome is what a server says until a client has logged in and knows what the server can do.
const welcome = "220 hello\r\n\x00331 password\r\n\x00230 in\r\n\x00211-these:\r\n MLST type*;size*;modify*;unique*;\r\n EPSV\r\n MDTM\r\n SIZE\r\n211 end\r\n\x00200 binary\r\n\x00" +
	"211-these:\r\n MLST type*;size*;modify*;unique*;\r\n MDTM\r\n SIZE\r\n211 end\r\n\x00257 \"/\"\r\n\x00"

// FuzzConversation talks to a server that answers anything.
func FuzzConversation(f *testing.F) {
	for _, seed := range []struct{ script, listing string }{
		{welcome + "229 here (|||%P|)\r\n\x00150 comes\r\n226 done\r\n\x00250-facts\r\n type=file;size=3; /a\r\n250 end\r\n", "type=file;size=1;modify=20200101000000; a\r\ntype=dir; b\r\n"},
		{strings.ReplaceAll(welcome, " MLST type*;size*;modify*;unique*;\r\n", "") + "250 there\r\n\x00229 here (|||%P|)\r\n\x00150 comes\r\n226 done\r\n\x00213 20200101000000\r\n",
			"-rw-r--r-- 1 u g 5 Jan 1 2020 a\r\nlrwxrwxrwx 1 u g 1 Jan 1 2020 l -> a\r\n"},
		{welcome + "500 no\r\n\x00227 passive (127,0,0,1,0,1)\r\n\x00425 no\r\n", ""},
		{welcome + "500 no\r\n\x00227 )(\r\n\x00", ""},
		{strings.Replace(welcome, `"/"`, `"`, 1), ""},
		{"421 too many\r\n", ""}, {"220-a\r\n220-b\r\n", ""}, {"", ""},
	} {
		f.Add([]byte(seed.script), []byte(seed.listing))
	}
	f.Fuzz(func(t *testing.T, script, listing []byte) {
		a := &actor{script: bytes.Split(script, []byte{0}), listing: listing}
		s := a.open(t)
		c, err := s.dial(t.Context(), func() {})
		if err != nil {
			return
		}
		defer c.end()
		found, err := c.ListAll("/")
		for _, e := range found.Entries {
			if err == nil && (e.Kind == 0 || e.Name == "" || strings.Contains(e.Name, "/") || e.Name == "." || e.Name == ".." || e.Size < 0) {
				t.Errorf("the listing has %+v", e)
			}
		}
		if e, err := c.Look("/a"); err == nil && (e.Kind == 0 || e.Size < 0) {
			t.Errorf("a look gives %+v", e)
		}
		if size, err := c.Size("/a"); err == nil && size < 0 {
			t.Errorf("a file has %d bytes", size)
		}
	})
}

// TestAnswersThatMakeNoSenseEndTheConnectionAlone: with these, the library below would end the
// program.
func TestAnswersThatMakeNoSenseEndTheConnectionAlone(t *testing.T) {
	for _, script := range []string{
		strings.Replace(welcome, `"/"`, `"`, 1),
		strings.Replace(welcome, `"/"`, `nowhere`, 1),
		strings.ReplaceAll(welcome, " MLST type*;size*;modify*;unique*;\r\n", "") + "250 there\r\n\x00500 no\r\n\x00227 )(\r\n",
		welcome + "500 no\r\n\x00227 )(\r\n",
	} {
		a := &actor{script: bytes.Split([]byte(script), []byte{0})}
		c, err := a.open(t).dial(context.Background(), func() {})
		if err == nil {
			_, err = c.ListAll("/")
			c.end()
		}
		if err == nil {
			t.Errorf("%q was understood", script)
		}
	}
}
