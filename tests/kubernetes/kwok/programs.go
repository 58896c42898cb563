//go:build tools

// Package kwok names the program that plays the kubelets of the tests.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
