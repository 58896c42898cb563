// Command kustomize renders kustomizations to YAML on standard output, as `kubectl kustomize`
// does for one: the checks render all overlays in one process. Usage: kustomize FOLDER...
//
// A line `# FOLDER` begins what each folder renders to.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kustomize FOLDER...")
		os.Exit(2)
	}
	// The default options are kubectl's: files outside a kustomization's folder are not read.
	kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	for _, folder := range os.Args[1:] {
		rendered, err := render(kustomizer, folder)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", folder, err)
			os.Exit(1)
		}
		fmt.Printf("---\n# %s\n%s", folder, rendered)
	}
}

func render(kustomizer *krusty.Kustomizer, folder string) ([]byte, error) {
	resources, err := kustomizer.Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	return resources.AsYaml()
}
