package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/config"
)

// anyHost stands for the host that was not named. A policy without one would let a host put objects
// in the way of every other's records.
const anyHost = "REPLACE-HOST"

// policyRole is the role of a policy: of the writer that args name, if they do.
func (a *app) policyRole(name string, args []string) (admin.Role, error) {
	r, ok := admin.Roles[name]
	switch {
	case !ok:
		return r, usage("--print-policy %s: want writer, collector, keeper, restorer or reader", name)
	case len(args) > 0 && name != "writer":
		return r, usage("--print-policy %s takes no name, but got %[2]s: only a writer's policy is for a single one", name, args[0])
	case len(args) > 0 && !isWord(args[0]):
		return r, usage("--print-policy writer %q: want the name of a host, without spaces, commas and slashes", args[0])
	case len(args) > 0:
		return r.Of(catalog.WriterName(args[0])), nil
	}
	if name == "writer" {
		a.out.Note("replace %s by the host that the policy is for, or name it, as in --print-policy writer db1", anyHost)
		return r.Of(anyHost), nil
	}
	return r, nil
}

// isAWS reports whether a bucket is at AWS: the environment names no other server.
func (a *app) isAWS(at config.Repository) bool {
	endpoint := cmp.Or(a.env["AWS_ENDPOINT_URL_S3"], a.env["AWS_ENDPOINT_URL"])
	return at.Kind == config.S3 && (endpoint == "" || strings.Contains(endpoint, ".amazonaws.com"))
}

// printPolicy prints the policy of a role for the repository's bucket: that of a bucket, or of a
// user.
func (a *app) printPolicy(name, principal string, ofUser bool, args []string) error {
	r, err := a.policyRole(name, args)
	if err != nil {
		return err
	}
	address, err := a.Repository()
	if err != nil {
		return err
	}
	if !address.IsBucket() {
		return usage("--print-policy: %s is a directory, which has permissions and no policy; name a bucket with --repo", address)
	}
	if principal == "" && !ofUser {
		principal = "REPLACE-" + strings.ToUpper(name)
		a.out.Note("replace %s by the principal, or name it with --principal", principal)
	}
	bucket := admin.Bucket{Name: address.Bucket, Prefix: address.Prefix, AWS: a.isAWS(address)}
	text, err := json.MarshalIndent(r.Policy(name, principal, bucket), "", "  ")
	if err != nil {
		return fmt.Errorf("print the policy: %w", err)
	}
	a.out.Note("as a second line of defence, let the bucket keep and lock versions: this policy does not bind other credentials")
	return a.printText(text)
}
