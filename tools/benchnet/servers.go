package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Addresses: servers are at 127.0.0.1, and netproxy is before each of them at 127.0.0.2, at the
// same port.
const (
	near     = "127.0.0.1"
	far      = "127.0.0.2"
	s3Port   = "17171"
	busyPort = "17172" // of an S3 server that refuses what is too much, which is the one at s3Port
	ftpPort  = "17181"
	sftpPort = "17191"
	passive  = "17300-17699" // data connections of FTP

	key      = "benchnet"
	secret   = "benchnet-secret"
	password = "benchnet"
)

// server is something that scenarios need.
type server uint8

const (
	s3 server = iota
	busyS3
	ftp
	sftp
)

// start starts a server and the proxy before it, unless it runs.
func (b *bench) start(s server) error {
	if b.started[s] {
		return nil
	}
	b.started[s] = true
	switch s {
	case s3:
		return errors.Join(b.startS3(), b.proxy(s3Port))
	case busyS3:
		b.busy = limit(near+":"+busyPort, near+":"+s3Port, b.most)
		return errors.Join(b.start(s3), b.proxy(busyPort))
	case ftp:
		return errors.Join(b.startFTP(), b.proxy(ftpPort, "-ports", passive))
	default:
		return errors.Join(b.startSFTP(), b.proxy(sftpPort))
	}
}

// serve starts a program that is ended when all is done, and waits until it listens.
func (b *bench) serve(cmd *exec.Cmd, address string) error {
	cmd.Stderr = b.log
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	b.servers = append(b.servers, p)
	for range 100 {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended", filepath.Base(cmd.Path))
		case <-time.After(100 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("%s does not listen at %s", filepath.Base(cmd.Path), address)
}

// process is a server that runs.
type process struct {
	*exec.Cmd
	ended chan struct{}
}

// tick is the unit of processor time in /proc.
const tick = 10 * time.Millisecond

// serverTime is the processor time that all servers and proxies have taken so far.
func (b *bench) serverTime() (sum time.Duration) {
	for _, server := range b.servers {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server.Process.Pid))
		_, after, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after)
		for i := 11; i < 15 && i < len(fields); i++ { // utime, stime, and those of children
			ticks, _ := strconv.Atoi(fields[i])
			sum += time.Duration(ticks) * tick
		}
	}
	return sum
}

func (b *bench) stop() {
	for _, server := range b.servers {
		_ = server.Process.Signal(syscall.SIGTERM)
		<-server.ended
	}
}

func (b *bench) proxy(port string, more ...string) error {
	args := append([]string{"-listen", far + ":" + port, "-target", near + ":" + port, "-rtt", b.rtt.String(), "-rate", b.rate}, more...)
	return b.serve(exec.Command(filepath.Join(b.bin, "netproxy"), args...), far+":"+port)
}

func (b *bench) startS3() error {
	data, iam := filepath.Join(b.work, "s3"), filepath.Join(b.work, "iam")
	for _, dir := range []string{filepath.Join(data, "bench"), filepath.Join(data, "lake"), filepath.Join(data, "big"), iam} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	gateway := exec.Command(filepath.Join(b.bin, "versitygw"), "--keep-alive", "--quiet", "--port", near+":"+s3Port, "--iam-dir", iam, "posix", data)
	gateway.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+secret)
	return b.serve(gateway, near+":"+s3Port)
}

// startFTP starts proftpd, which bears ten connections.
func (b *bench) startFTP() error {
	hash, err := exec.Command("openssl", "passwd", "-6", password).Output()
	if err != nil {
		return fmt.Errorf("hash a password: %w", err)
	}
	dir := filepath.Join(b.work, "proftpd")
	config := []string{
		"ServerType standalone", "DefaultAddress " + near, "Port " + ftpPort, "PassivePorts " + strings.Replace(passive, "-", " ", 1), "UseIPv6 off",
		"UseReverseDNS off", "PidFile " + dir + "/pid", "ScoreboardFile " + dir + "/scoreboard", "SystemLog " + dir + "/log", "TransferLog none", "WtmpLog off",
		"DelayEngine off", "AuthPAM off", "AuthOrder mod_auth_file.c", "AuthUserFile " + dir + "/users", "RequireValidShell off", "DefaultRoot ~", "TimesGMT on",
		"AllowOverwrite on", "AllowStoreRestart on", "AllowRetrieveRestart on", "Umask 022", "<Limit SITE_CHMOD>\nAllowAll\n</Limit>",
		"SocketBindTight on", "MaxClientsPerHost 10", "User root", "Group root", "RootLogin on", "",
	}
	users := fmt.Sprintf("benchnet:%s:%d:%d::%s:/bin/sh\n", strings.TrimSpace(string(hash)), os.Getuid(), os.Getgid(), b.work)
	if err := files(dir, map[string]string{"users": users, "conf": strings.Join(config, "\n")}); err != nil {
		return err
	}
	return b.serve(exec.Command("/usr/sbin/proftpd", "-n", "-q", "-c", dir+"/conf"), near+":"+ftpPort)
}

// startSFTP starts sshd, with keys of its own.
func (b *bench) startSFTP() error {
	dir := filepath.Join(b.work, "sshd")
	host, private, err := newKey()
	if err != nil {
		return err
	}
	mine, own, err := newKey()
	if err != nil {
		return err
	}
	config := []string{
		"Port " + sftpPort, "ListenAddress " + near, "HostKey " + dir + "/host", "PidFile none", "AuthorizedKeysFile " + dir + "/authorized", "StrictModes no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no", "PermitRootLogin prohibit-password", "MaxStartups 100", "Subsystem sftp internal-sftp", "",
	}
	err = files(dir, map[string]string{
		"host": private, "authorized": string(ssh.MarshalAuthorizedKey(mine)), "key": own, "conf": strings.Join(config, "\n"),
		"known_hosts": knownhosts.Line([]string{knownhosts.Normalize(far + ":" + sftpPort)}, host) + "\n",
	})
	if err == nil && os.Getuid() == 0 {
		err = os.MkdirAll("/run/sshd", 0o755) // sshd insists on it
	}
	if err != nil {
		return err
	}
	return b.serve(exec.Command("/usr/sbin/sshd", "-D", "-E", dir+"/log", "-f", dir+"/conf"), near+":"+sftpPort)
}

// newKey makes a key pair; the private key is in OpenSSH's format.
func newKey() (ssh.PublicKey, string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, "", err
	}
	key, err := ssh.NewPublicKey(public)
	return key, string(pem.EncodeToMemory(block)), err
}

// files writes files into a directory, which it makes.
func files(dir string, contents map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// login is who logs in by SSH.
func login() string {
	if me, err := user.Current(); err == nil {
		return me.Username
	}
	return "root"
}
