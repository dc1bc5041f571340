package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packstone/packstone/pipeline/remote/ftp"
	"github.com/packstone/packstone/pipeline/remote/ftp/ftptest"
	"github.com/packstone/packstone/pipeline/remote/sftp/sftptest"
)

// fails runs the program and wants an exit code and words in what it says.
func (s *station) fails(want int, env []string, words []string, args ...string) {
	s.t.Helper()
	_, stderr := s.run(want, env, args...)
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			s.t.Errorf("%v says nothing of %q: %s", args, word, tail(stderr))
		}
	}
	if strings.Contains(stderr, "hunter2") {
		s.t.Errorf("%v tells the password: %s", args, tail(stderr))
	}
}

func TestWrongPasswordKeyOrCertificateIsToldWithTheHostAndTheCure(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := ftpServer(t, ftptest.Proftpd(t, ftptest.Options{}), "ftp")
	platformFiles(t, good.disk, 3)
	good.own(t)
	s := newStation(t, good)
	s.run(0, nil, "backup", "all")
	both := func(name string, bad *fileServer, words ...string) {
		t.Run(name, func(t *testing.T) {
			s := &station{t: t, home: s.home, env: s.env}
			s.point(bad.url, bad.settings)
			s.fails(exitFailed, nil, append(words, "127.0.0.1"), "backup", "all")
			s.fails(exitFailed, bad.env, append(words, "127.0.0.1"), "restore", "latest", "--to", bad.url)
		})
	}
	both("password", &fileServer{url: good.url, settings: ", password_file: " + wrong, env: []string{"PACKSTONE_REMOTE_PASSWORD=hunter2"}}, "check user and password")
	both("expired certificate", ftpServer(t, ftptest.Proftpd(t, ftptest.Options{Security: ftp.Explicit, Expired: true}), "ftpes"), "not trusted", "expired")
	unknown := ftpServer(t, ftptest.Proftpd(t, ftptest.Options{Security: ftp.Implicit}), "ftps")
	unknown.settings, unknown.env = ", password_file: "+wrong, unknown.env[:1]
	both("unknown authority", unknown, "not trusted", "name that one's file")
	login := sftptest.InProcess(t, sftptest.InProcessOptions{Password: "right"}).Client()
	both("password by SFTP", &fileServer{
		url:      fmt.Sprintf("sftp://%s@127.0.0.1:%d/", login.User, login.Port),
		settings: ", known_hosts: " + login.KnownHosts[0] + ", password_file: " + wrong,
		env:      []string{"PACKSTONE_REMOTE_KNOWN_HOSTS=" + login.KnownHosts[0], "PACKSTONE_REMOTE_PASSWORD_FILE=" + wrong},
	}, fmt.Sprintf("log in to 127.0.0.1:%d as %s: login denied", login.Port, login.User), "check user, key and password")
	ssh := sftptest.Start(t, "")
	ssh.Know(t, ssh.ForeignKey(t))
	address := fmt.Sprintf("sftp://%s@127.0.0.1:%d%s", ssh.Client().User, ssh.Port, ssh.Disk)
	env := []string{"PACKSTONE_REMOTE_KNOWN_HOSTS=" + ssh.KnownHosts, "PACKSTONE_REMOTE_KEY_FILE=" + ssh.KeyFile}
	both("host key", &fileServer{url: address, settings: ", known_hosts: " + ssh.KnownHosts + ", key_file: " + ssh.KeyFile, env: env}, ssh.KnownHosts, "ssh-keygen -R")
}

func TestAServerThatIsNotThereIsUnreachable(t *testing.T) {
	eachServer(t, func(t *testing.T, from, to *fileServer) {
		platformFiles(t, from.disk, 3)
		from.own(t)
		s := newStation(t, from)
		s.run(0, nil, "backup", "all")
		from.kill()
		s.fails(exitUnreachable, nil, []string{"127.0.0.1", "unreachable"}, "backup", "all")
		if to != nil {
			to.kill()
			s.fails(exitUnreachable, to.env, []string{"127.0.0.1", "unreachable"}, "restore", "latest", "--to", to.url)
		}
	})
}

func TestAFolderThatMayNotBeReadLeavesTheBackupIncomplete(t *testing.T) {
	for _, kind := range serverKinds {
		if kind.name == "sshd" && os.Getuid() == 0 {
			continue // the one who logs in is root, who may read everything
		}
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			from := kind.start(t)
			platformFiles(t, from.disk, 60)
			from.own(t)
			closed := filepath.Join(from.disk, "projekt 1")
			if err := os.Chmod(closed, 0); err != nil {
				t.Fatal(err)
			}
			s := newStation(t, from)
			s.fails(exitMissing, nil, []string{"projekt 1", "127.0.0.1"}, "backup", "all")
			if err := os.Chmod(closed, 0o755); err != nil {
				t.Fatal(err)
			}
			s.run(0, nil, "backup", "all")
		})
	}
}

func TestAFileThatGrowsOnTheServerIsReported(t *testing.T) {
	for _, kind := range serverKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			from := kind.start(t)
			platformFiles(t, from.disk, 5)
			from.own(t)
			s := newStation(t, from)
			log, stop, over := filepath.Join(from.disk, "large.bin"), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(over)
				for {
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Millisecond):
						appendText(t, log, "one more line\n")
					}
				}
			}()
			s.fails(exitMissing, nil, []string{"large.bin", "changed while it was read"}, "backup", "all")
			close(stop)
			<-over
			s.run(0, nil, "backup", "all")
			restored := t.TempDir()
			s.run(0, nil, "restore", "latest", "--target", restored)
			s.same(from.disk, filepath.Join(restored, "files"), &fileServer{noModes: true})
		})
	}
}

func appendText(t *testing.T, file, text string) {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Error(err)
	}
}

func TestAServerWhoseDiskIsFullEndsTheRestoreAndKeepsNoPart(t *testing.T) {
	for _, kind := range serverKinds {
		if kind.sourceOnly {
			continue
		}
		t.Run(kind.name, func(t *testing.T) {
			to := kind.start(t)
			small := filepath.Join(to.disk, "small")
			mustMkdir(t, small)
			if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", small).CombinedOutput(); err != nil {
				t.Skipf("mount: %v: %s", err, out)
			}
			t.Cleanup(func() { _ = exec.Command("umount", "--lazy", small).Run() }) // a session of the server may still stand in it
			home, files := t.TempDir(), t.TempDir()
			putFile(t, filepath.Join(files, "large.bin"), bytes.Repeat([]byte("0123456789abcdef"), 1<<19), 1)
			s := &station{t: t, home: home, env: []string{"HOME=" + home}}
			s.run(0, nil, "backup", "--init", files)
			s.fails(exitFailed, to.env, []string{"full", "127.0.0.1"}, "restore", "latest", "--to", to.url+"/small")
			for path, is := range describeTree(t, small, false) {
				if strings.HasPrefix(is, "---") {
					t.Errorf("%s is there: %s", path, is)
				}
			}
		})
	}
}
