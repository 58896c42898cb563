// Command s3gateway serves the S3 protocol from a folder: the S3 of the one-machine stack, of one
// account. Usage: S3GATEWAY_ACCESS_KEY=... S3GATEWAY_SECRET_KEY=... s3gateway HOST:PORT FOLDER
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	folderMode     = 0o700
	maxConnections = 1024
	maxRequests    = 512
	concurrency    = 64
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: s3gateway HOST:PORT FOLDER")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, folder string) error {
	backend, err := storage(folder)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess:    os.Getenv("S3GATEWAY_ACCESS_KEY"),
		RootUserSecret:    os.Getenv("S3GATEWAY_SECRET_KEY"),
		Ports:             []string{address},
		MaxConnections:    maxConnections,
		MaxRequests:       maxRequests,
		MultipartMaxParts: 10000,
		KeepAlive:         true,
		Quiet:             true,
	})
}

// storage keeps objects as files. What S3 says of an object beside its bytes stands in extended
// attributes, which appear together with the file; on a file system without them, in files beside.
func storage(folder string) (*posix.Posix, error) {
	objects := filepath.Join(folder, "objects")
	if err := os.MkdirAll(objects, folderMode); err != nil {
		return nil, err
	}
	options := posix.PosixOpts{Concurrency: concurrency}
	attributes := meta.XattrMeta{}
	if attributes.Test(objects) == nil {
		return posix.New(objects, attributes, options)
	}
	options.SideCarDir = filepath.Join(folder, "attributes")
	if err := os.MkdirAll(options.SideCarDir, folderMode); err != nil {
		return nil, err
	}
	beside, err := meta.NewSideCar(options.SideCarDir)
	if err != nil {
		return nil, err
	}
	return posix.New(objects, beside, options)
}
