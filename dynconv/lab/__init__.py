"""The laboratory: data made for the subject, training runs, and what a trained network does with
its routing.

    data        drawing, scenes       objects under four lights: single pictures, a data set
                dataset               whether a data set can be trained with
    runs        presets, jobs         settings with their reasons; a run before it is one
                training, sweep       one run, and a grid of them
                surroundings, estimate
                                      what it finds in its process; how long it will take
                runs, repair          what a run leaves; what continues it
                experiment            the recorded one of chapter 7
                detector              the playground's, trained once, in the package
    routing     inference, scoring    images through a network; mAP50 by condition
                recording, summaries, kernels, routing
                                      α over images, in numbers, as kernels; and put to the test
"""
