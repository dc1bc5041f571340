package admin

import (
	"cmp"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
)

// Policy is an S3 bucket policy.
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement allows or denies something.
type Statement struct {
	Sid       string                    `json:"Sid"`
	Effect    string                    `json:"Effect"`
	Principal map[string]string         `json:"Principal,omitempty"`
	Action    []string                  `json:"Action"`
	Resource  []string                  `json:"Resource"`
	Condition map[string]map[string]any `json:"Condition,omitempty"`
}

// Bucket is the location of a repository.
type Bucket struct {
	Name, Prefix string
	AWS          bool // it is at AWS: only there conditions on new objects are known
}

// Role lists which objects a holder of credentials may list, read, create and delete, by prefixes
// of their names. "" means all objects.
type Role struct {
	list, get, put, delete []string
	versions               bool // it may list and read versions that are not the newest
	extend                 bool // it may list versions, and extend locks
	thaw                   bool // it may ask for packs in classes that need a thaw
}

// Roles are the roles by their names.
var Roles = map[string]Role{
	"writer": {
		list: []string{"config/", "gc/", "log/", "probe/", "roll/", "sessions/"},
		get: []string{"packstone.json", "config/", "gc/", "headers/", "history/", "index/", "log/", "probe/", "refs/", "roll/",
			"sessions/"},
		put: []string{"index/", "log/", "packs/", "probe/", "refs/", "sessions/", "trees/"},
	},
	"collector": {
		list:   []string{""},
		get:    []string{"packstone.json", "config/", "gc/", "headers/", "history/", "index/", "log/", "probe/", "refs/", "roll/", "sessions/"},
		put:    []string{"gc/", "history/", "index/", "log/", "packs/", "probe/", "refs/", "roll/", "sessions/", "trees/"}, // packs: with --repack
		delete: []string{"gc/", "headers/", "history/", "index/", "log/", "packs/", "probe/", "refs/", "roll/", "sessions/", "trees/"},
	},
	"keeper": {
		list:   []string{""},
		get:    []string{"packstone.json", "config/", "gc/", "history/", "log/", "refs/", "roll/"},
		extend: true,
	},
	"reader":   {list: []string{""}, get: []string{""}, versions: true},
	"restorer": {list: []string{""}, get: []string{""}, versions: true, thaw: true},
}

// AnyHost stands for the host in the policy of a writer that nobody has named. A policy without one
// would let a host put objects in the way of every other's records.
const AnyHost = "REPLACE-HOST"

// RoleOf returns a role by its name: that of the writer of a host, if one is named. It fails with
// catalog.ErrMisuse if there is no such role, or if it is not that of a host.
func RoleOf(name, host string) (Role, error) {
	r, ok := Roles[name]
	switch {
	case !ok:
		return r, catalog.Misuse("--print-policy %s: want writer, collector, keeper, restorer or reader", name)
	case name != "writer" && host != "":
		return r, catalog.Misuse("--print-policy %s takes no name, but got %[2]s: only a writer's policy is for a single one", name, host)
	case name != "writer":
		return r, nil
	case host == "":
		return r.Of(AnyHost), nil
	}
	return r.Of(catalog.WriterName(host)), nil
}

// Of returns the role restricted to one member, who may create records and sessions under its own
// name only.
func (r Role) Of(member string) Role {
	own := map[string]string{"log/": "log/" + member + ".", "sessions/": "sessions/" + member + "."}
	r.put = slices.Clone(r.put)
	for i, name := range r.put {
		r.put[i] = cmp.Or(own[name], name)
	}
	return r
}

// Policy returns the bucket policy for a role. The ids of its statements begin with name; principal
// is who has the role; empty: the policy is for the user to whom it is attached.
func (r Role) Policy(name, principal string, at Bucket) Policy {
	bucket := "arn:aws:s3:::" + at.Name
	p := policyWriter{objects: bucket + "/" + prefixOf(at), title: strings.ToUpper(name[:1]) + name[1:]}
	if principal != "" {
		p.who = map[string]string{"AWS": principal}
	}
	p.allow("Locates", r.looks(), []string{bucket}, nil)
	p.allow("Lists", r.lists(), []string{bucket}, map[string]map[string]any{"StringLike": {"s3:prefix": starred(prefixOf(at), r.list)}})
	p.allow("Reads", r.reads(), starred(p.objects, r.get), nil)
	if r.extend {
		p.allow("Extends", []string{"s3:GetObjectRetention", "s3:PutObjectRetention"}, []string{p.objects + "*"}, nil)
	}
	if r.thaw {
		p.allow("Thaws", []string{"s3:RestoreObject"}, []string{p.objects + "packs/*"}, nil)
	}
	if len(r.put) > 0 {
		p.allow("Creates", []string{"s3:PutObject"}, starred(p.objects, r.put), onlyNew(at))
	}
	forbidden := []string{"s3:DeleteObjectVersion", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention"}
	if !r.extend {
		forbidden = append(forbidden, "s3:PutObjectRetention")
	}
	if len(r.delete) > 0 {
		p.allow("Deletes", []string{"s3:DeleteObject"}, starred(p.objects, r.delete), nil)
	} else {
		forbidden = append([]string{"s3:DeleteObject"}, forbidden...)
	}
	p.add("Deny", "DestroysNothing", forbidden, []string{p.objects + "*"}, nil)
	return Policy{Version: "2012-10-17", Statement: p.statements}
}

// looks are the actions by which a role sees what the bucket is and how it protects objects.
func (r Role) looks() []string {
	all := []string{"s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"}
	if r.extend {
		all = append(all, "s3:GetLifecycleConfiguration")
	}
	return all
}

func (r Role) lists() []string {
	if r.versions || r.extend {
		return []string{"s3:ListBucket", "s3:ListBucketVersions"}
	}
	return []string{"s3:ListBucket"}
}

func (r Role) reads() []string {
	if r.versions {
		return []string{"s3:GetObject", "s3:GetObjectVersion"}
	}
	return []string{"s3:GetObject"}
}

// onlyNew returns the condition that objects may be created but never overwritten. Only AWS
// supports it; other servers refuse a policy that has it.
func onlyNew(at Bucket) map[string]map[string]any {
	if !at.AWS {
		return nil
	}
	return map[string]map[string]any{"Null": {"s3:if-none-match": "false"}}
}

func prefixOf(at Bucket) string {
	if at.Prefix == "" {
		return ""
	}
	return at.Prefix + "/"
}

// starred appends each name to a prefix, and a star to those that are only the beginning of names.
func starred(prefix string, names []string) []string {
	var all []string
	for _, name := range names {
		if name == "" || strings.HasSuffix(name, "/") || strings.HasSuffix(name, ".") {
			name += "*"
		}
		all = append(all, prefix+name)
	}
	slices.Sort(all)
	return all
}

type policyWriter struct {
	who        map[string]string
	objects    string // what the names of all objects begin with
	title      string
	statements []Statement
}

func (p *policyWriter) allow(sid string, actions, resources []string, condition map[string]map[string]any) {
	p.add("Allow", sid, actions, resources, condition)
}

func (p *policyWriter) add(effect, sid string, actions, resources []string, condition map[string]map[string]any) {
	p.statements = append(p.statements, Statement{"Packstone" + p.title + sid, effect, p.who, actions, resources, condition})
}
