# What a check finds wrong: it goes on, and tells all at its end.
set(complaints "")

function(complain)
    string(CONCAT text ${ARGN})
    set(complaints "${complaints}\n  ${text}" PARENT_SCOPE)
endfunction()

function(complaints_tell)
    if(complaints)
        message(FATAL_ERROR "${complaints}")
    endif()
endfunction()
