package sftptest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/pipeline/remote/servertest"
	"github.com/packstone/packstone/pipeline/remote/sftp"
)

// proftpdPassword lets the user in at Proftpd.
const proftpdPassword = "sftp secret"

// Proftpd starts proftpd with mod_sftp. config is added to its configuration. Files lie in Disk,
// which is the root of whoever logs in.
func Proftpd(t testing.TB, config string) (*Server, sftp.Options) {
	t.Helper()
	program, err := exec.LookPath("proftpd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/proftpd")
	}
	if err != nil {
		missing(t, "proftpd is not installed")
	}
	s := &Server{Disk: t.TempDir(), Port: servertest.FreePort(t), program: program, dir: t.TempDir()}
	s.KnownHosts = filepath.Join(s.dir, "known_hosts")
	s.Know(t, s.newKey(t, "hostkey", ""))
	uid, gid := os.Getuid(), os.Getgid()
	lines := []string{
		"LoadModule mod_sftp.c", "ServerType standalone", "DefaultAddress 127.0.0.1", fmt.Sprint("Port ", s.Port), "UseIPv6 off", "UseReverseDNS off",
		"PidFile " + s.dir + "/pid", "ScoreboardFile " + s.dir + "/scoreboard", "SystemLog " + s.dir + "/log", "WtmpLog off", "DelayEngine off",
		"AuthPAM off", "AuthOrder mod_auth_file.c", "AuthUserFile " + s.dir + "/users", "RequireValidShell off", "DefaultRoot ~",
		"SFTPEngine on", "SFTPHostKey " + s.dir + "/hostkey", "SFTPAuthMethods password", "Umask 022", config, "",
	}
	if uid == 0 {
		uid, gid = 1, 1
		lines = append([]string{"User daemon", "Group daemon"}, lines...)
		if err := os.Chown(s.Disk, uid, gid); err != nil {
			t.Fatal(err)
		}
		for dir := s.Disk; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	hash, err := exec.Command("openssl", "passwd", "-5", proftpdPassword).Output()
	if err != nil {
		missing(t, "openssl is not installed")
	}
	s.write(t, "users", fmt.Sprintf("packstone:%s:%d:%d::%s:/bin/sh\n", strings.TrimSpace(string(hash)), uid, gid, s.Disk))
	s.write(t, "conf", strings.Join(lines, "\n"))
	s.arguments = []string{"--nodaemon", "-c", s.dir + "/conf"}
	s.Restart(t)
	return s, sftp.Options{
		Host: "127.0.0.1", Port: s.Port, User: "packstone", KnownHosts: []string{s.KnownHosts},
		Password: func(context.Context) (string, error) { return proftpdPassword, nil },
	}
}
