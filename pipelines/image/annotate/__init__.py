"""image.annotate: what a picture's edges, lines, depth, normals or poses are; the same prepare the pictures of control networks."""
