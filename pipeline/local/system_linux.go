package local

import "golang.org/x/sys/unix"

// remoteSystems are those that a server or a process answers for, by the number that statfs gives.
var remoteSystems = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "nfs", unix.FUSE_SUPER_MAGIC: "fuse", unix.SMB_SUPER_MAGIC: "smb", unix.CIFS_SUPER_MAGIC: "smb", unix.SMB2_SUPER_MAGIC: "smb",
	unix.V9FS_MAGIC: "9p", unix.AFS_SUPER_MAGIC: "afs", unix.AFS_FS_MAGIC: "afs", unix.CODA_SUPER_MAGIC: "coda", unix.NCP_SUPER_MAGIC: "ncp",
	unix.CEPH_SUPER_MAGIC: "ceph",
}

// SystemOf tells what the open file fd is on.
func SystemOf(fd int) (System, error) {
	var st unix.Statfs_t
	for {
		err := unix.Fstatfs(fd, &st)
		if err == nil {
			name, remote := remoteSystems[uint32(st.Type)]
			return System{name, remote}, nil
		}
		if err != unix.EINTR {
			return System{}, err
		}
	}
}

// Refresh makes a network file system ask its server for what Fstat tells next, whatever its cache
// holds.
func Refresh(fd int) {
	var st unix.Statx_t
	_ = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, &st)
}
