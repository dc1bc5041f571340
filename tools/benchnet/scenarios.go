package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// scenario is one piece of work, which programs do in turns.
type scenario struct {
	name, goal string
	needs      []server
	makes      []func() error // what is backed up
	contenders []contender
}

// contender is a program and what it does.
type contender struct {
	name, program string
	home          string     // of the program: who shares it shares keys and caches
	before        [][]string // not measured
	forget        []string   // removed before it is measured
	args          []string
	killed        time.Duration // after which it is killed and run again, until it is done; 0: never
}

const (
	distant = "minio+http://" + far + ":" + s3Port + "/bench/"
	beside  = "minio+http://" + near + ":" + s3Port + "/bench/b"
	crowded = "minio+http://" + far + ":" + busyPort + "/bench/"
)

// scenarios build on each other: what is restored was backed up before.
func (b *bench) scenarios() []scenario {
	all := b.ofStorage()
	all = append(all, b.ofLakes()...)
	all = append(all, b.ofServers()...)
	return append(all, b.ofConnections()...)
}

func (b *bench) pack(name, repository string, args ...string) contender {
	return contender{name: name, program: b.packstone, home: "p" + filepath.Base(repository), args: append([]string{"-r", repository}, args...)}
}

func (b *bench) resticOf(name, repository string, more ...string) contender {
	return contender{name: name, program: b.restic, home: "r", args: append([]string{"-r", repository}, more...)}
}

func (b *bench) copyOf(name, from string, args ...string) contender {
	return restored(contender{name: name, program: b.rclone, home: "rclone", args: append([]string{"copy", from, "restored"}, args...)})
}

func initialized(c contender) contender {
	c.before = append(c.before, append(c.args[:2:2], "init"))
	return c
}

func restored(c contender) contender {
	c.forget = append(c.forget, "restored")
	return c
}

// fresh is on a machine that has not seen the repository.
func fresh(c contender) contender {
	c.forget = append(c.forget, filepath.Join("home", c.home, ".cache"))
	return c
}

func (b *bench) trips(n int) string {
	return fmt.Sprintf("%d round trips: %s and its own work", n, time.Duration(n)*b.rtt)
}

// ofStorage are scenarios of a repository in S3.
func (b *bench) ofStorage() []scenario {
	resticFar, many := "s3:http://"+far+":"+s3Port+"/bench/r", []string{"-o", "s3.connections=32"}
	restore, check := []string{"restore", "latest", "--target", "restored"}, []string{"check", "--read-data"}
	return []scenario{
		{"init", "1.5 s", []server{s3}, nil, []contender{b.pack("packstone", distant+"i", "init"), b.resticOf("restic", resticFar+"i", "init")}},
		{"first backup", "1.3 times local", []server{s3}, []func() error{b.makeMixed}, []contender{
			initialized(b.pack("packstone", distant+"p", "backup", b.source)),
			initialized(b.pack("packstone, local", "near", "backup", b.source)),
			initialized(b.pack("packstone, S3 without delay", beside, "backup", b.source)),
			initialized(b.resticOf("restic", resticFar, "backup", b.source)),
			initialized(b.resticOf("restic, 32 connections", resticFar+"32", append(many, "backup", b.source)...)),
		}},
		{"unchanged", "", []server{s3}, nil, []contender{
			b.pack("packstone", distant+"p", "backup", b.source),
			b.resticOf("restic", resticFar, "backup", b.source),
		}},
		{"restore", "1.6 times local; faster than restic with 32", []server{s3}, nil, []contender{
			restored(b.pack("packstone", distant+"p", restore...)),
			restored(b.pack("packstone, local", "near", restore...)),
			restored(b.pack("packstone, S3 without delay", beside, restore...)),
			restored(b.resticOf("restic", resticFar, restore...)),
			restored(b.resticOf("restic, 32 connections", resticFar, append(many, restore...)...)),
		}},
		{"check", "1.6 times local; faster than restic with 32", []server{s3}, nil, []contender{
			b.pack("packstone", distant+"p", check...),
			b.pack("packstone, local", "near", check...),
			b.pack("packstone, S3 without delay", beside, check...),
			b.resticOf("restic", resticFar, check...),
			b.resticOf("restic, 32 connections", resticFar, append(many, check...)...),
		}},
		{"snapshots", b.trips(4), []server{s3}, nil, []contender{
			fresh(b.pack("packstone", distant+"p", "snapshots")),
			b.resticOf("restic", resticFar, "snapshots"),
		}},
		{"ls", b.trips(5), []server{s3}, nil, []contender{fresh(b.pack("packstone", distant+"p", "ls", "latest"))}},
	}
}

// ofLakes are scenarios of buckets that are backed up.
func (b *bench) ofLakes() []scenario {
	return []scenario{
		{"lake", "as fast as rclone with 32", []server{s3}, []func() error{b.makeLake}, []contender{
			initialized(b.pack("packstone", "of-lake", "backup", "lake")),
			b.copyOf("rclone", ":s3:lake"),
			b.copyOf("rclone, 32 transfers", ":s3:lake", "--transfers", "32"),
		}},
		{"big lake", "1.2 times rclone", []server{s3}, []func() error{b.makeBig}, []contender{
			initialized(b.pack("packstone", "of-big", "backup", "big")),
			b.copyOf("rclone, 8 streams", ":s3:big", "--multi-thread-streams", "8", "--multi-thread-cutoff", "50M"),
		}},
	}
}

// ofServers are scenarios of directories on servers.
func (b *bench) ofServers() []scenario {
	small, killed := []func() error{b.makeSmall}, b.pack("packstone, killed", "of-killed", "backup", "sftp")
	killed.killed = 5 * time.Second
	back := func(c contender, dir string) contender { c.forget = append(c.forget, dir); return c }
	ten := []string{"--transfers", "10", "--checkers", "10"}
	return []scenario{
		{"ftp", b.share(3, 10).String(), []server{ftp}, small, []contender{
			initialized(b.pack("packstone", "of-ftp", "backup", "ftp")),
			b.copyOf("rclone, 10 transfers", ":ftp:small", ten...),
		}},
		{"restore to ftp", "", []server{ftp}, small, []contender{
			back(b.pack("packstone", "of-ftp", "restore", "latest:ftp", "--to", "ftp://benchnet@"+far+":"+ftpPort+"/back"), "back"),
			back(contender{name: "rclone, 10 transfers", program: b.rclone, home: "rclone", args: append([]string{"copy", "small", ":ftp:back"}, ten...)}, "back"),
		}},
		{"sftp", "15 s", []server{sftp}, small, []contender{
			initialized(b.pack("packstone", "of-sftp", "backup", "sftp")),
			b.copyOf("rclone, 32 transfers", ":sftp:"+filepath.Join(b.work, "small"), "--transfers", "32"),
		}},
		{"restore to sftp", "25 s", []server{sftp}, small, []contender{
			back(b.pack("packstone", "of-sftp", "restore", "latest:sftp", "--to", b.sftp("back")), "back"),
		}},
		{"sftp killed every 5 s", "1.3 times undisturbed", []server{sftp}, small, []contender{
			initialized(b.pack("packstone, undisturbed", "of-calm", "backup", "sftp")), initialized(killed),
		}},
	}
}

// share is how long all small files take with so many round trips each, so many at once.
func (b *bench) share(trips, atOnce int) time.Duration {
	return time.Duration(b.small*trips/atOnce) * b.rtt
}

// ofConnections are scenarios of requests in flight.
func (b *bench) ofConnections() []scenario {
	first := scenario{"connections", "1.5 times the best", []server{s3}, []func() error{b.makeMixed}, nil}
	back := scenario{"connections restored", "1.5 times the best", []server{s3}, nil, nil}
	for _, n := range []int{0, 2, 8, 16, 32, 64} {
		name, repository := fmt.Sprintf("packstone, %d", n), fmt.Sprintf("%sc%d", distant, n)
		if n == 0 {
			name = "packstone, by itself"
		}
		fixed := []string{"--connections", fmt.Sprint(n)}
		first.contenders = append(first.contenders, initialized(b.pack(name, repository, append(fixed, "backup", b.source)...)))
		back.contenders = append(back.contenders, restored(b.pack(name, repository, append(fixed, "restore", "latest", "--target", "restored")...)))
	}
	return []scenario{first, back, {"busy", "at most 3 % refused after a minute", []server{busyS3}, []func() error{b.makeMixed}, []contender{
		initialized(b.pack("packstone", crowded+"b", "backup", b.source)),
		restored(b.pack("packstone, restore", crowded+"b", "restore", "latest", "--target", "restored")),
		b.pack("packstone, check", crowded+"b", "check", "--read-data"),
	}}}
}
