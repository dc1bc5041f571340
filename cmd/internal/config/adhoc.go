package config

import (
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/source"
	sourcecommand "github.com/packstone/packstone/pipeline/source/command"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target"
	targetcommand "github.com/packstone/packstone/pipeline/target/command"
)

// What the command line describes without a settings file.
type (
	PathOptions     = files.Options         // of a source of paths
	CommandOptions  = sourcecommand.Options // of a source that is a command's output
	ReceiverOptions = targetcommand.Options // of a command that is given a file
	SSHKey          = sftp.Key
)

// OpenPaths opens paths of this machine as a source. Nothing is read yet.
func OpenPaths(o PathOptions) (source.Source, error) { return sourceOf(files.New(o)) }

// OpenCommand opens a command's output as a source. It is not started yet.
func OpenCommand(o CommandOptions) (source.Source, error) { return sourceOf(sourcecommand.New(o)) }

// OpenReceiver opens a command as a target that takes one file. It is not started yet.
func OpenReceiver(o ReceiverOptions) (target.Target, error) { return targetOf(targetcommand.New(o)) }

// Files of SQLite that no URL names: a database as it is, and one that can be brought into any
// engine again.
var (
	SQLiteFile   database.Driver = sqlite.Driver{}
	PortableFile database.Driver = sqlite.Driver{Portable: true}
)

// NewFolder makes a folder in parent for a database file that gets its name when it is whole, and
// removes those whose makers were killed.
func NewFolder(parent string) (*sqlite.Folder, error) { return sqlite.NewFolder(parent, ".packstone-") }
