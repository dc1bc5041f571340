package admin

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/packstone/packstone/catalog"
)

// allows tells whether a policy lets an action on an object, as S3 decides: what is denied is
// denied, whatever allows it.
func allows(p Policy, action, object string) bool {
	allowed := false
	for _, s := range p.Statement {
		if !slices.Contains(s.Action, action) || !slices.ContainsFunc(s.Resource, func(pattern string) bool { return matches(pattern, object) }) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func matches(pattern, object string) bool {
	beginning, starred := strings.CutSuffix(pattern, "*")
	return pattern == object || starred && strings.HasPrefix(object, beginning)
}

func TestPoliciesGiveARoleWhatItNeedsAndNoMore(t *testing.T) {
	at := Bucket{Name: "bucket", Prefix: "p", AWS: true}
	for _, test := range []struct {
		action, object string
		who            string // the roles that may
	}{
		{"s3:GetObject", "packstone.json", "collector keeper reader restorer writer"},
		{"s3:GetObject", "packs/ab/abcd", "reader restorer"},
		{"s3:RestoreObject", "packs/ab/abcd", "restorer"},
		{"s3:RestoreObject", "trees/ab/abcd", ""},
		{"s3:GetObject", "trees/ab/abcd", "reader restorer"},
		{"s3:GetObject", "domains/0000000001/0000000000", "reader restorer"},
		{"s3:GetObject", "index/ab/abcd", "collector reader restorer writer"},
		{"s3:PutObject", "packs/ab/abcd", "collector writer"},
		{"s3:PutObject", "log/w.0/0000000001", "collector writer"},
		{"s3:PutObject", "sessions/w.0.0000000001", "collector writer"}, // a collector signs records too
		{"s3:PutObject", "gc/0000000001/condemn", "collector"},
		{"s3:PutObject", "config/0000000001", ""},
		{"s3:PutObject", "packstone.json", ""},
		{"s3:PutObject", "domains/0000000001/0000000001", ""},
		{"s3:DeleteObject", "packs/ab/abcd", "collector"},
		{"s3:DeleteObject", "config/0000000000", ""},
		{"s3:DeleteObject", "packstone.json", ""},
		{"s3:DeleteObjectVersion", "packs/ab/abcd", ""},
		{"s3:BypassGovernanceRetention", "packs/ab/abcd", ""},
		{"s3:PutObjectRetention", "packs/ab/abcd", "keeper"},
		{"s3:GetObjectRetention", "config/0000000001", "keeper"},
		{"s3:GetObjectVersion", "packs/ab/abcd", "reader restorer"},
	} {
		for name, role := range Roles {
			got := allows(role.Policy(name, "x", at), test.action, "arn:aws:s3:::bucket/p/"+test.object)
			if want := slices.Contains(strings.Fields(test.who), name); got != want {
				t.Errorf("%s may %s %s: %v, want %v", name, test.action, test.object, got, want)
			}
		}
	}
}

func TestThePolicyOfAWriterLetsItWriteUnderItsOwnNameAlone(t *testing.T) {
	at := Bucket{Name: "bucket", AWS: true}
	p := Roles["writer"].Of("db1").Policy("writer", "x", at)
	for object, want := range map[string]bool{
		"log/db1.0/0000000001": true, "sessions/db1.0.0000000001": true, "packs/ab/abcd": true, "probe/x/y": true,
		"log/db2.0/0000000001": false, "log/db10.0/0000000001": false, "sessions/db2.0.0000000001": false, "log/owner.0/0000000001": false,
		"log/db1": false, "config/0000000001": false,
	} {
		if got := allows(p, "s3:PutObject", "arn:aws:s3:::bucket/"+object); got != want {
			t.Errorf("db1 may create %s: %v, want %v", object, got, want)
		}
	}
	if !allows(p, "s3:GetObject", "arn:aws:s3:::bucket/log/db2.0/0000000001") {
		t.Error("db1 may not read what others have written")
	}
	if slices.Contains(Roles["writer"].put, "log/db1.") {
		t.Error("the policy of one writer has changed that of all")
	}
}

func TestAWritersRoleIsOfOneHost(t *testing.T) {
	for _, test := range []struct {
		name, host string
		put        string // where it writes records; "": nowhere, or no such role
		err        error
	}{
		{"writer", "db1", "log/db1.", nil},
		{"writer", "", "log/" + AnyHost + ".", nil},
		{"collector", "", "log/", nil},
		{"collector", "db1", "", catalog.ErrMisuse},
		{"admin", "", "", catalog.ErrMisuse},
	} {
		r, err := RoleOf(test.name, test.host)
		if !errors.Is(err, test.err) || err == nil && !slices.Contains(r.put, test.put) {
			t.Errorf("%s %q: writes %q, %v, want %q, %v", test.name, test.host, r.put, err, test.put, test.err)
		}
	}
}
