package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
)

// policyDocument is a bucket policy, as S3 reads it.
type policyDocument struct {
	Version   string            `json:"Version"`
	Statement []policyStatement `json:"Statement"`
}

type policyStatement struct {
	Sid       string                    `json:"Sid"`
	Effect    string                    `json:"Effect"`
	Principal map[string]string         `json:"Principal"`
	Action    []string                  `json:"Action"`
	Resource  []string                  `json:"Resource"`
	Condition map[string]map[string]any `json:"Condition,omitempty"`
}

// role says which objects a holder of credentials may list, read, create and delete, by the beginnings of their names. "" is
// all of them.
type role struct{ list, get, put, delete []string }

var roles = map[string]role{
	"writer": {
		list: []string{"config/", "gc/", "log/", "probe/", "roll/", "sessions/"},
		get: []string{"packstone.json", "config/", "gc/", "headers/", "history/", "index/", "log/", "probe/", "refs/", "roll/",
			"sessions/"},
		put: []string{"index/", "log/", "packs/", "probe/", "refs/", "sessions/", "trees/"},
	},
	"collector": {
		list:   []string{""},
		get:    []string{"packstone.json", "config/", "gc/", "headers/", "history/", "index/", "log/", "probe/", "refs/", "roll/", "sessions/"},
		put:    []string{"gc/", "history/", "log/", "probe/", "roll/"},
		delete: []string{"gc/", "headers/", "history/", "index/", "log/", "packs/", "probe/", "refs/", "roll/", "sessions/", "trees/"},
	},
	"reader": {list: []string{""}, get: []string{""}},
}

// of is the role of one member alone: it creates records and sessions under its own name only.
func (r role) of(member string) role {
	own := map[string]string{"log/": "log/" + member + ".", "sessions/": "sessions/" + member + "."}
	r.put = slices.Clone(r.put)
	for i, name := range r.put {
		r.put[i] = cmp.Or(own[name], name)
	}
	return r
}

// policyRole is the role of a policy: of the writer that args name, if they do.
func (a *app) policyRole(name string, args []string) (role, error) {
	r, ok := roles[name]
	switch {
	case !ok:
		return r, usage("--print-policy %s: want writer, collector or reader", name)
	case len(args) > 0 && name != "writer":
		return r, usage("--print-policy %s: only the policy of a writer is for one of them alone, not for %s", name, args[0])
	case len(args) > 0:
		return r.of(catalog.WriterName(args[0])), nil
	}
	if name == "writer" {
		a.out.Warn(output.Warning{Message: "this policy lets one host put objects in the way of every other's records: " +
			"name the host that it is for, as in --print-policy writer db1"})
	}
	return r, nil
}

// printPolicy prints the bucket policy of a role for the repository's bucket.
func (a *app) printPolicy(name, principal string, args []string) error {
	r, err := a.policyRole(name, args)
	if err != nil {
		return err
	}
	address, err := a.repository()
	if err != nil {
		return err
	}
	if !address.IsBucket() {
		return usage("--print-policy: %s is a directory, which has permissions and no policy; name a bucket with --repo", address)
	}
	if principal == "" {
		principal = "REPLACE-" + strings.ToUpper(name)
		a.out.Note("put who the policy is for in the place of %s, or name it with --principal", principal)
	}
	text, err := json.MarshalIndent(r.policy(name, principal, address), "", "  ")
	if err != nil {
		return fmt.Errorf("print the policy: %w", err)
	}
	a.out.Note("a second line of defence: let the bucket keep versions and lock them, since credentials that are stolen elsewhere know no policy")
	_, err = fmt.Fprintf(a.stdout, "%s\n", text)
	return err
}

// policy is the bucket policy for a role.
func (r role) policy(name, principal string, address config.Repository) policyDocument {
	bucket := "arn:aws:s3:::" + address.Bucket
	p := policyWriter{who: map[string]string{"AWS": principal}, objects: bucket + "/" + prefixOf(address), title: strings.ToUpper(name[:1]) + name[1:]}
	p.allow("Locates", []string{"s3:GetBucketLocation"}, []string{bucket}, nil)
	p.allow("Lists", []string{"s3:ListBucket"}, []string{bucket}, map[string]map[string]any{"StringLike": {"s3:prefix": starred(prefixOf(address), r.list)}})
	p.allow("Reads", []string{"s3:GetObject"}, starred(p.objects, r.get), nil)
	if len(r.put) > 0 {
		p.allow("Creates", []string{"s3:PutObject"}, starred(p.objects, r.put), onlyNew(address))
	}
	forbidden := []string{"s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention"}
	if len(r.delete) > 0 {
		p.allow("Deletes", []string{"s3:DeleteObject"}, starred(p.objects, r.delete), nil)
	} else {
		forbidden = append([]string{"s3:DeleteObject"}, forbidden...)
	}
	p.add("Deny", "DestroysNothing", forbidden, []string{p.objects + "*"}, nil)
	return policyDocument{Version: "2012-10-17", Statement: p.statements}
}

// onlyNew lets objects be created and never overwritten. Only AWS knows the condition; other servers refuse a policy with it.
func onlyNew(address config.Repository) map[string]map[string]any {
	if address.Kind != config.S3 {
		return nil
	}
	return map[string]map[string]any{"Null": {"s3:if-none-match": "false"}}
}

func prefixOf(address config.Repository) string {
	if address.Prefix == "" {
		return ""
	}
	return address.Prefix + "/"
}

// starred puts each name after a prefix, with a star where it is only the beginning of names.
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
	statements []policyStatement
}

func (p *policyWriter) allow(sid string, actions, resources []string, condition map[string]map[string]any) {
	p.add("Allow", sid, actions, resources, condition)
}

func (p *policyWriter) add(effect, sid string, actions, resources []string, condition map[string]map[string]any) {
	p.statements = append(p.statements, policyStatement{"Packstone" + p.title + sid, effect, p.who, actions, resources, condition})
}
