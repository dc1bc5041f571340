package main

// scenario is one piece of work, which programs do in turns.
type scenario struct {
	name       string
	contenders []contender
}

// contender is a program and what it does.
type contender struct {
	name, program string
	home          string     // of the program: who shares it shares keys and caches
	before        [][]string // not measured
	forget        []string   // removed before it is measured
	args          []string
}

// scenarios build on each other: what is restored was backed up before.
func (b *bench) scenarios() []scenario {
	far := "minio+http://" + distant + "/bench/p"
	pack := func(name, repository string, args ...string) contender {
		return contender{name: name, program: b.packstone, home: "p" + name, args: append([]string{"-r", repository}, args...)}
	}
	restic := func(name, repository string, more ...string) contender {
		return contender{name: name, program: b.restic, home: "r", args: append([]string{"-r", repository}, more...)}
	}
	farRestic, many := "s3:http://"+distant+"/bench/r", []string{"-o", "s3.connections=32"}
	initialized := func(c contender) contender {
		c.before = append(c.before, append(c.args[:2:2], "init"))
		return c
	}
	restored := func(c contender) contender {
		c.forget = append(c.forget, "restored")
		return c
	}
	rclone := func(name string, args ...string) contender {
		return restored(contender{name: name, program: b.rclone, home: "rclone", args: append([]string{"copy", ":s3:lake", "restored"}, args...)})
	}
	return []scenario{
		{"first backup", []contender{
			initialized(pack("packstone", far, "backup", b.source)),
			initialized(pack("packstone, local", "near", "backup", b.source)),
			initialized(restic("restic", farRestic, "backup", b.source)),
			initialized(restic("restic, 32 connections", farRestic+"32", append(many, "backup", b.source)...)),
		}},
		{"unchanged", []contender{
			pack("packstone", far, "backup", b.source),
			restic("restic", farRestic, "backup", b.source),
		}},
		{"restore", []contender{
			restored(pack("packstone", far, "restore", "latest", "--target", "restored")),
			restored(pack("packstone, local", "near", "restore", "latest", "--target", "restored")),
			restored(restic("restic", farRestic, "restore", "latest", "--target", "restored")),
			restored(restic("restic, 32 connections", farRestic, append(many, "restore", "latest", "--target", "restored")...)),
		}},
		{"check --read-data", []contender{
			pack("packstone", far, "check", "--read-data"),
			pack("packstone, local", "near", "check", "--read-data"),
			restic("restic", farRestic, "check", "--read-data"),
			restic("restic, 32 connections", farRestic, append(many, "check", "--read-data")...),
		}},
		{"snapshots", []contender{
			pack("packstone", far, "snapshots"),
			restic("restic", farRestic, "snapshots"),
		}},
		{"lake of small objects", []contender{
			initialized(pack("packstone lake", "lake-repository", "backup", "lake")),
			rclone("rclone"),
			rclone("rclone, 32 transfers", "--transfers", "32"),
		}},
	}
}
