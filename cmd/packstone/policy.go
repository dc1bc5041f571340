package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog/admin"
)

// printPolicy prints the policy of a role for the repository's bucket: that of a bucket, or of a
// user. Of a writer it is for a host.
func (a *app) printPolicy(name, principal string, ofUser bool, args []string) error {
	host := strings.Join(args, "")
	if len(args) > 0 && name == "writer" && !isWord(host) {
		return usage("--print-policy writer %q: want the name of a host, without spaces, commas and slashes", host)
	}
	r, err := admin.RoleOf(name, host)
	if err != nil {
		return err
	}
	if len(args) > 0 && host == "" {
		return usage("--print-policy %s takes no name: leave out the empty one, which may come from a variable that is not set", name)
	}
	if name == "writer" && host == "" {
		a.out.Note("replace %s by the host that the policy is for, or name it, as in --print-policy writer db1", admin.AnyHost)
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
	bucket := admin.Bucket{Name: address.Bucket, Prefix: address.Prefix, AWS: a.IsAWS(address)}
	text, err := json.MarshalIndent(r.Policy(name, principal, bucket), "", "  ")
	if err != nil {
		return fmt.Errorf("print the policy: %w", err)
	}
	a.out.Note("as a second line of defence, let the bucket keep and lock versions: this policy does not bind other credentials")
	return a.printText(text)
}
